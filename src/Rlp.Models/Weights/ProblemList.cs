namespace Rlp.Models.Weights;

/// <summary>Everything that is wrong with a model's files, said at once.</summary>
internal static class ProblemList
{
    private const int Longest = 2000; // a hostile header could name millions
    private const int LongestName = 200;

    /// <exception cref="ModelFormatException">There is a problem.</exception>
    public static void Refuse(string path, IReadOnlyList<string> problems)
    {
        if (problems.Count > 0) throw new ModelFormatException(Text(path, problems));
    }

    public static string Shape(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";

    public static string Quoted(string name) => $"'{Short(name)}'";

    public static string Short(string text) => text.Length <= LongestName ? text : $"{text[..LongestName]}...";

    private static string Text(string path, IReadOnlyList<string> problems)
    {
        if (problems.Count == 1) return $"{path}: {problems[0]}";
        var rest = problems.Count > Longest ? $"\n  and {problems.Count - Longest} more" : "";
        return $"{path}: {problems.Count} problems:\n  {string.Join("\n  ", problems.Take(Longest))}{rest}";
    }
}
