using System.Text.RegularExpressions;
using Akka.Configuration;
using Akka.Configuration.Hocon;
using Rlp.Consoles;

namespace Rlp.Cli.Configuration;

/// <summary>
/// What holds after the defaults, the recipe and the overrides are laid over each other: one value per key, parsed by Akka, and the place
/// where it was set.
/// </summary>
public sealed partial class EffectiveSettings
{
    private const int DeepestCopy = 8;

    private readonly SortedDictionary<string, HoconAssignment> assigned = new(StringComparer.Ordinal);
    private readonly KnownKeys known;
    private readonly List<ConfigurationProblem> problems;
    private readonly Config values;

    /// <param name="layers">All assignments, weakest first.</param>
    /// <param name="known">The keys that exist.</param>
    /// <param name="problems">Receives unknown keys and references that lead nowhere.</param>
    public EffectiveSettings(IReadOnlyList<HoconAssignment> layers, KnownKeys known, List<ConfigurationProblem> problems)
    {
        this.known = known;
        this.problems = problems;
        var keys = layers.Where(a => IsKnown(a) && a.Value is not null).ToList();
        foreach (var assignment in keys)
            if (known.IsSection(assignment.Path)) CopySection(assignment, keys);
            else Assign(assignment);
        GiveDefaultsToNamedSections(layers);
        var before = problems.Count;
        var done = new HashSet<string>();
        foreach (var key in assigned.Keys) CheckReferences(key, [], done);
        CheckValues();
        Readable = problems.Count == before;
        values = Readable
            ? ConfigurationFactory.ParseString(string.Join('\n', assigned.Select(a => $"{a.Key} = {a.Value.Value}")))
            : Config.Empty;
    }

    /// <summary>Whether all references lead somewhere and all values can be parsed; <see cref="Value"/> gives nothing otherwise.</summary>
    public bool Readable { get; }

    /// <summary>Every key that has a value, in ordinal order.</summary>
    public IReadOnlyCollection<string> Keys => assigned.Keys;

    /// <summary>Where the key got its value; null where it has none.</summary>
    public HoconAssignment? Origin(string key) => assigned.GetValueOrDefault(key);

    /// <summary>The value as Akka parsed it; null where the key has none.</summary>
    public HoconValue? Value(string key) => assigned.ContainsKey(key) ? values.GetValue(key) : null;

    /// <summary>The names directly below a section that takes free names, in ordinal order.</summary>
    public IReadOnlyList<string> Names(string section) =>
        [.. assigned.Keys
            .Where(k => k.StartsWith(section + ".", StringComparison.Ordinal))
            .Select(k => k[(section.Length + 1)..].Split('.')[0]).Distinct()];

    private bool IsKnown(HoconAssignment assignment)
    {
        var exists = known.IsKey(assignment.Path) || known.IsSection(assignment.Path);
        if (exists && assignment.Path.FirstOrDefault(s => s != KnownKeys.AnyName && !FreeName().IsMatch(s)) is { } odd)
        {
            Refuse(assignment, $"'{odd}' in '{assignment.Key}' cannot be a name; names hold letters, digits, '-' and '_'");
            return false;
        }
        if (known.IsKey(assignment.Path))
        {
            if (assignment.Value is not null) return true;
            Refuse(assignment, $"'{assignment.Key}' is no section; write '{assignment.Key} = ...'");
            return false;
        }
        if (known.IsSection(assignment.Path))
        {
            if (assignment.Value is null || SectionReference().IsMatch(assignment.Value)) return true;
            Refuse(assignment, $"'{assignment.Key}' is a section and cannot be '{assignment.Value}'; write '{assignment.Key} {{ ... }}'");
            return false;
        }
        Refuse(assignment, $"unknown key '{assignment.Key}'{NearestName.Question(assignment.Key, known.SuggestionsFor(assignment.Path))}");
        return false;
    }

    private void Assign(HoconAssignment assignment)
    {
        var value = assignment.Value!;
        if (assignment.Appends)
            value = assigned.TryGetValue(assignment.Key, out var list) ? $"{list.Value} [{value}]" : $"[{value}]";
        assigned[assignment.Key] = assignment with { Value = value };
    }

    /// <summary>`a = ${b}` between sections becomes `a.x = ${b.x}` for each key of b; later lines can override single ones.</summary>
    private void CopySection(HoconAssignment assignment, IReadOnlyList<HoconAssignment> all)
    {
        var source = Source(assignment);
        if (!known.IsSection(source))
        {
            Refuse(assignment, $"'{assignment.Key}' is a section and '{assignment.Value}' is none");
            return;
        }
        foreach (var key in KeysBelow(source, all, depth: 0).DistinctBy(k => string.Join('.', k)))
        {
            var reference = $"${{{string.Join('.', source.Concat(key))}}}";
            var target = assignment with { Path = [.. assignment.Path, .. key], Value = reference };
            if (IsKnown(target)) assigned[target.Key] = target;
        }
    }

    /// <summary>The keys that a section has in the end, relative to it: documented ones, free names, and those it copies in turn.</summary>
    private IEnumerable<IReadOnlyList<string>> KeysBelow(IReadOnlyList<string> section, IReadOnlyList<HoconAssignment> all, int depth)
    {
        var written = all.Where(a => known.IsKey(a.Path) && StartsWith(a.Path, section)).Select(a => Tail(a.Path, section.Count));
        var keys = known.Below(section).Where(k => !k.Contains(KnownKeys.AnyName)).Concat(written);
        if (depth == DeepestCopy) return keys; // sections that copy each other: their keys refer to themselves, which is refused later
        foreach (var copy in all.Where(a => known.IsSection(a.Path)))
        {
            if (StartsWith(section, copy.Path))
                keys = keys.Concat(KeysBelow([.. Source(copy), .. Tail(section, copy.Path.Count)], all, depth + 1));
            else if (StartsWith(copy.Path, section))
            {
                var from = Tail(copy.Path, section.Count);
                keys = keys.Concat(KeysBelow(Source(copy), all, depth + 1).Select(k => (string[])[.. from, .. k]));
            }
        }
        return keys.Where(k => known.IsKey([.. section, .. k]));
    }

    private static string[] Source(HoconAssignment copy) => SectionReference().Match(copy.Value!).Groups["path"].Value.Split('.');

    private static IReadOnlyList<string> Tail(IReadOnlyList<string> path, int from) => [.. path.Skip(from)];

    private static bool StartsWith(IReadOnlyList<string> path, IReadOnlyList<string> section) =>
        path.Count >= section.Count && path.Take(section.Count).SequenceEqual(section);

    private void GiveDefaultsToNamedSections(IReadOnlyList<HoconAssignment> layers)
    {
        var defaults = assigned.Where(a => a.Value.Path.Contains(KnownKeys.AnyName)).Select(a => a.Value).ToList();
        foreach (var assignment in defaults)
        {
            var depth = assignment.Path.ToList().IndexOf(KnownKeys.AnyName);
            var named = layers.Where(a => a.Path.Count > depth && a.Path.Take(depth).SequenceEqual(assignment.Path.Take(depth)))
                .Select(a => a.Path[depth]).Where(n => n != KnownKeys.AnyName && FreeName().IsMatch(n)).Distinct();
            foreach (var name in named)
            {
                var path = assignment.Path.Select((segment, i) => i == depth ? name : segment).ToArray();
                assigned.TryAdd(string.Join('.', path), assignment with { Path = path });
            }
            assigned.Remove(assignment.Key);
        }
    }

    /// <summary>Akka does not survive references that lead in a circle or optional ones that lead nowhere, so neither reaches it.</summary>
    private void CheckReferences(string key, IReadOnlyList<string> trail, HashSet<string> done)
    {
        if (done.Contains(key)) return;
        var assignment = assigned[key];
        foreach (Match reference in Reference().Matches(QuotedString().Replace(assignment.Value!, "")))
        {
            var target = reference.Groups["path"].Value;
            if (reference.Groups["optional"].Success)
                Refuse(assignment, $"'{reference.Value}' in '{key}': optional references are not supported; write '${{{target}}}'");
            else if (!assigned.ContainsKey(target))
                Refuse(assignment, $"'{reference.Value}' in '{key}' refers to no key{NearestName.Question(target, assigned.Keys)}");
            else if (trail.Append(key).SkipWhile(k => k != target).ToList() is { Count: > 0 } circle)
                Refuse(assignment, $"'{key}' refers to itself: {string.Join(" -> ", circle.Append(target))}");
            else
                CheckReferences(target, [.. trail, key], done);
        }
        done.Add(key);
    }

    private void CheckValues()
    {
        foreach (var assignment in assigned.Values)
            try
            {
                ConfigurationFactory.ParseString($"value = {Reference().Replace(assignment.Value!, "0")}");
            }
            catch (Exception e) when (e is FormatException or NotSupportedException or ArgumentException)
            {
                Refuse(assignment, $"the value of '{assignment.Key}' cannot be read: {e.Message}");
            }
    }

    private void Refuse(HoconAssignment at, string message) =>
        problems.Add(new ConfigurationProblem(at.File, at.File == RecipeFile.SetOption ? null : at.Line, at.Key, message));

    [GeneratedRegex(@"^[A-Za-z0-9_-]+$")]
    private static partial Regex FreeName();

    [GeneratedRegex(@"^\$\{(?<path>[^?}][^}]*)\}$")]
    private static partial Regex SectionReference();

    [GeneratedRegex(@"\$\{(?<optional>\?)?\s*(?<path>[^}]*?)\s*\}")]
    private static partial Regex Reference();

    [GeneratedRegex("\"\"\".*?\"\"\"|\"(\\\\.|[^\"\\\\])*\"", RegexOptions.Singleline)]
    private static partial Regex QuotedString();
}
