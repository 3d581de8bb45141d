namespace Rlp.Consoles;

/// <summary>What can stand at the end of an unfinished command line.</summary>
/// <param name="Start">Where the word begins that is to be completed.</param>
/// <param name="Words">The words that begin like it, in their order.</param>
public sealed record Completion(int Start, IReadOnlyList<string> Words)
{
    /// <param name="text">The line up to the cursor.</param>
    /// <param name="names">What an argument's value can be by the argument's name ("run", "node"), as far as that is known.</param>
    public static Completion Of(string text, IReadOnlyList<Palette> palettes, Func<string, IReadOnlyList<string>> names)
    {
        var start = text.Length;
        while (start > 0 && !char.IsWhiteSpace(text[start - 1])) start--;
        var before = text[..start].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return new Completion(start, [.. Candidates(before, palettes, names).Where(word => word.StartsWith(text[start..], StringComparison.Ordinal))]);
    }

    private static IEnumerable<string> Candidates(string[] before, IReadOnlyList<Palette> palettes, Func<string, IReadOnlyList<string>> names)
    {
        if (before is [Help.Word, .. var rest]) return rest.Length < 2 ? Candidates(rest, palettes, names).Where(word => word != Help.Word) : [];
        if (before.Length == 0) return [.. palettes.Select(p => p.Name), Help.Word];
        if (palettes.FirstOrDefault(p => p.Name == before[0]) is not { } palette) return [];
        if (before.Length == 1) return palette.Verbs.Select(v => v.Name);
        if (palette.Verbs.FirstOrDefault(v => v.Name == before[1]) is not { } verb) return [];
        if (before.Length > 2 && Named(before[^1]) is { } awaited) return awaited.Values.Count > 0 ? awaited.Values : names(awaited.Name);
        return verb.Arguments.Where(a => a.AllowMultiple || !before.Any(word => Named(word) == a)).Select(a => a.Switch);

        Argument? Named(string word) => verb.Arguments.FirstOrDefault(a => a.Switch == word || $"--{a.Name}" == word);
    }
}
