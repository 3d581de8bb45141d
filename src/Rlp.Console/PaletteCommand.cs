using System.Runtime.CompilerServices;

namespace Rlp.Consoles;

/// <summary>A command line that was understood.</summary>
public sealed class PaletteCommand
{
    private readonly Func<IClusterView, CancellationToken, IAsyncEnumerable<AnswerLine>> answer;

    private PaletteCommand(Func<IClusterView, CancellationToken, IAsyncEnumerable<AnswerLine>> answer) => this.answer = answer;

    /// <summary>The answer. Whatever goes wrong on the way is its last line, an <see cref="ErrorLine"/>.</summary>
    public async IAsyncEnumerable<AnswerLine> AnswerAsync(IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        await using var lines = answer(cluster, cancellation).GetAsyncEnumerator(cancellation);
        while (true)
        {
            AnswerLine line;
            try
            {
                if (!await lines.MoveNextAsync()) yield break;
                line = lines.Current;
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancellation.IsCancellationRequested)
            {
                line = new ErrorLine(e.Message);
            }
            yield return line;
            if (line is ErrorLine) yield break;
        }
    }

    /// <exception cref="CommandNotUnderstoodException">No command; the message names the nearest words, or an example.</exception>
    public static PaletteCommand Parse(string line, IReadOnlyList<Palette> palettes) => Parse(CommandLine.Split(line), palettes);

    /// <exception cref="CommandNotUnderstoodException">No command; the message names the nearest words, or an example.</exception>
    public static PaletteCommand Parse(IReadOnlyList<string> words, IReadOnlyList<Palette> palettes)
    {
        if (words.Count == 0) throw new CommandNotUnderstoodException("an empty line is no command; 'help' names them");
        if (words[0] == Help.Word)
        {
            var help = Help.On([.. words.Skip(1)], palettes).ToArray();
            return new PaletteCommand((_, _) => help.ToAsyncEnumerable());
        }
        var palette = Find(words[0], palettes);
        if (words.Count == 1) throw new CommandNotUnderstoodException($"{palette.Name} what? {string.Join(", ", palette.Verbs.Select(v => v.Name))}; 'help {palette.Name}' explains them");
        var verb = Find(words[1], palette);
        var arguments = Read(palette, verb, [.. words.Skip(2)]);
        return new PaletteCommand((cluster, cancellation) => verb.Answer(arguments, cluster, cancellation));
    }

    internal static Palette Find(string name, IReadOnlyList<Palette> palettes) => palettes.FirstOrDefault(p => p.Name == name)
        ?? throw new CommandNotUnderstoodException($"there is no palette '{name}'{Near(name, palettes.Select(p => p.Name))} The palettes are {string.Join(", ", palettes.Select(p => p.Name))}");

    internal static Verb Find(string name, Palette palette) => palette.Verbs.FirstOrDefault(v => v.Name == name)
        ?? throw new CommandNotUnderstoodException(
            $"'{palette.Name}' has no verb '{name}'{Near(name, palette.Verbs.Select(v => v.Name))} It has {string.Join(", ", palette.Verbs.Select(v => v.Name))}");

    private static Arguments Read(Palette palette, Verb verb, IReadOnlyList<string> words)
    {
        var given = verb.Arguments.ToDictionary(a => a.Name, _ => new List<string>());
        for (var i = 0; i < words.Count; i++)
        {
            var argument = ArgumentOf(words[i], palette, verb);
            if (i + 1 == words.Count || Named(words[i + 1], verb) is not null) throw Refused($"{words[i]} has no value; expected {argument.Usage}");
            var value = words[++i];
            if (argument.Expected(value) is { } expected) throw Refused($"{words[i - 1]} is '{value}'; expected {expected}");
            if (given[argument.Name].Count > 0 && !argument.AllowMultiple) throw Refused($"{words[i - 1]} is given twice");
            given[argument.Name].Add(value);
        }
        foreach (var argument in verb.Arguments.Where(a => given[a.Name].Count == 0))
        {
            if (argument.Mandatory) throw Refused($"{argument.Usage} is missing ({argument.Description})");
            if (argument.Default is { } standard) given[argument.Name].Add(standard);
        }
        return new Arguments(given.ToDictionary(g => g.Key, g => (IReadOnlyList<string>)g.Value));

        CommandNotUnderstoodException Refused(string what) => new($"{palette.Name} {verb.Name}: {what}. Example: {verb.Example}");
    }

    private static Argument ArgumentOf(string word, Palette palette, Verb verb)
    {
        if (Named(word, verb) is { } argument) return argument;
        var switches = verb.Arguments.SelectMany(a => (string[])[a.Switch, $"--{a.Name}"]).ToArray();
        var known = switches.Length == 0 ? "It has none" : $"It has {string.Join(", ", verb.Arguments.Select(a => $"{a.Switch} (--{a.Name})"))}";
        throw new CommandNotUnderstoodException(word.StartsWith('-')
            ? $"{palette.Name} {verb.Name} has no switch '{word}'{NearSwitch()} {known}. Example: {verb.Example}"
            : $"{palette.Name} {verb.Name}: '{word}' follows no switch. {known}. Example: {verb.Example}");

        // Two letters are within two typing errors of each other: a short switch has no nearest one but in another case.
        string NearSwitch() => word.Length > 2
            ? Near(word, switches.Where(s => s.Length > 2))
            : switches.FirstOrDefault(s => s.Equals(word, StringComparison.OrdinalIgnoreCase)) is { } other ? $"; did you mean '{other}'?" : ".";
    }

    private static string Near(string name, IEnumerable<string> names) => NearestName.Question(name, names) is { Length: > 0 } question ? question : ".";

    private static Argument? Named(string word, Verb verb) => verb.Arguments.FirstOrDefault(a => word == a.Switch || word == $"--{a.Name}");
}
