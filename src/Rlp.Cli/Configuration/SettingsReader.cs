using System.Globalization;
using Rlp.Consoles;

namespace Rlp.Cli.Configuration;

/// <summary>
/// Reads typed values. A value of the wrong type or outside its bounds becomes a problem and reading goes on with a harmless stand-in, so
/// that one run of the program reports everything that is wrong.
/// </summary>
public sealed class SettingsReader(EffectiveSettings settings, string file, List<ConfigurationProblem> problems)
{
    private readonly HashSet<string> read = [];

    /// <summary>The keys that were asked for.</summary>
    public IReadOnlySet<string> Read => read;

    public IReadOnlyList<string> Names(string section) => settings.Names(section);

    public string Text(string key) => Written(key) ?? "";

    /// <summary>Null where the value is no text, which has been refused then.</summary>
    public string? TextOrNull(string key) => Written(key);

    /// <summary>A text that must not be empty.</summary>
    public string Name(string key)
    {
        if (Written(key) is not { } text) return "";
        if (text.Length == 0) Expect(key, "a text that is not empty");
        return text;
    }

    public bool Flag(string key)
    {
        switch (Written(key))
        {
            case null or "false" or "off" or "no": return false;
            case "true" or "on" or "yes": return true;
            default:
                Expect(key, "true or false");
                return false;
        }
    }

    public long WholeNumber(string key, long atLeast, long atMost = long.MaxValue)
    {
        if (Written(key) is not { } text) return atLeast;
        var whole = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number);
        if (whole && number >= atLeast && number <= atMost) return number;
        Expect(key, (atLeast, atMost) switch
        {
            (long.MinValue, long.MaxValue) => "a whole number",
            (_, long.MaxValue or int.MaxValue) => $"a whole number of at least {atLeast}",
            _ => $"a whole number from {atLeast} to {atMost}",
        });
        return atLeast;
    }

    public int Count(string key, int atLeast, int atMost = int.MaxValue) => (int)WholeNumber(key, atLeast, atMost);

    public double Number(string key, NumberBounds bounds)
    {
        if (Written(key) is not { } text) return bounds.StandIn;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && bounds.Holds(number)) return number;
        Expect(key, bounds.Description);
        return bounds.StandIn;
    }

    /// <summary>One of the members of an enumeration, in lower case.</summary>
    public T Choice<T>(string key) where T : struct, Enum
    {
        if (Written(key) is not { } text) return default;
        foreach (var choice in Enum.GetValues<T>())
            if (Spelled(choice) == text) return choice;
        var names = Enum.GetValues<T>().Select(Spelled).ToArray();
        Expect(key, OneOf(names) + NearestName.Question(text, names));
        return default;
    }

    /// <summary>One of the given words.</summary>
    public T Choice<T>(string key, IReadOnlyDictionary<string, T> words)
    {
        if (Written(key) is not { } text) return words.Values.First();
        if (words.TryGetValue(text, out var chosen)) return chosen;
        Expect(key, OneOf([.. words.Keys]) + NearestName.Question(text, [.. words.Keys]));
        return words.Values.First();
    }

    /// <summary>A list of texts of a kind, each at most once.</summary>
    public IReadOnlyList<string> Texts(string key, string kind, Func<string, bool> allowed)
    {
        read.Add(key);
        if (settings.Value(key) is not { } value) return [];
        if (HoconText.Elements(value) is not { } elements)
        {
            Expect(key, $"a list of {kind}");
            return [];
        }
        foreach (var wrong in elements.Where(e => !allowed(e)))
            Refuse(key, $"'{key}' holds '{wrong}'; expected {kind}");
        foreach (var twice in elements.GroupBy(e => e).Where(g => g.Count() > 1))
            Refuse(key, $"'{key}' holds '{twice.Key}' {twice.Count()} times; expected each at most once");
        return [.. elements.Where(allowed).Distinct()];
    }

    public IReadOnlyList<string> List(string key, IReadOnlyList<string> allowed)
    {
        read.Add(key);
        if (settings.Value(key) is not { } value) return [];
        if (HoconText.Elements(value) is not { } elements)
        {
            Expect(key, $"a list such as [{string.Join(", ", allowed)}]");
            return [];
        }
        foreach (var unknown in elements.Where(e => !allowed.Contains(e)))
            Refuse(key, $"'{key}' holds '{unknown}'; expected {OneOf(allowed)}{NearestName.Question(unknown, allowed)}");
        foreach (var twice in elements.GroupBy(e => e).Where(g => g.Count() > 1))
            Refuse(key, $"'{key}' holds '{twice.Key}' {twice.Count()} times; expected each at most once");
        return [.. elements.Where(allowed.Contains).Distinct()];
    }

    /// <summary>Bytes, written as a number with or without a unit (512MiB, 8GB); null for the word that stands for no fixed size.</summary>
    public long? SizeOr(string word, string key)
    {
        if (Written(key) is not { } text || text == word) return null;
        try
        {
            if (settings.Value(key)!.GetByteSize() is { } bytes and > 0) return bytes;
        }
        catch (FormatException)
        {
            // Refused below, together with sizes of zero and less.
        }
        catch (OverflowException)
        {
            // As above: the size does not fit.
        }
        Expect(key, $"'{word}' or a size such as 512MiB or 8GiB");
        return null;
    }

    /// <summary>A time with its unit: 90s, 30m, 2h.</summary>
    public TimeSpan Duration(string key, TimeSpan atLeast, TimeSpan atMost)
    {
        if (Written(key) is not { } text) return atLeast;
        var unit = text.Length == 0 ? 0.0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        if (unit > 0 && double.TryParse(text[..^1].TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number * unit >= atLeast.TotalSeconds && number * unit <= atMost.TotalSeconds)
            return TimeSpan.FromSeconds(number * unit);
        Expect(key, $"a time from {atLeast.TotalSeconds:0.#}s to {atMost.TotalDays:0.#}d, with its unit s, m, h or d, such as 90s or 2h");
        return atLeast;
    }

    /// <summary>Adds a problem about the value of a key, where that value was set.</summary>
    public void Refuse(string key, string message)
    {
        var origin = settings.Origin(key);
        if (origin is null or { File: RecipeFile.DefaultsName }) problems.Add(new ConfigurationProblem(file, null, key, message));
        else problems.Add(new ConfigurationProblem(origin.File, origin.File == RecipeFile.SetOption ? null : origin.Line, key, message));
    }

    /// <summary>The folder that a relative path in the value of this key starts from: that of the file which sets it.</summary>
    public string FolderOf(string key) =>
        settings.Origin(key) is { File: not (RecipeFile.SetOption or RecipeFile.DefaultsName) } origin
            ? Path.GetDirectoryName(Path.GetFullPath(origin.File))!
            : Directory.GetCurrentDirectory();

    private static string Spelled<T>(T choice) where T : struct, Enum => choice.ToString().ToLowerInvariant();

    private static string OneOf(IReadOnlyList<string> names) =>
        names.Count == 1 ? names[0] : $"{string.Join(", ", names.SkipLast(1))} or {names[^1]}";

    /// <summary>The text of a value that is neither list nor section; null (and a problem) otherwise.</summary>
    private string? Written(string key)
    {
        read.Add(key);
        if (settings.Value(key) is { } value && !HoconText.IsList(value) && value.IsString()) return HoconText.Of(value);
        Refuse(key, settings.Origin(key) is { } origin ? $"'{key}' is {origin.Value}; expected a single value" : $"'{key}' has no value");
        return null;
    }

    private void Expect(string key, string expected) =>
        Refuse(key, $"'{key}' is '{Escaped(HoconText.Of(settings.Value(key)!))}'; expected {expected}");

    private static string Escaped(string text) => text.Replace("\n", "\\n").Replace("\t", "\\t");
}
