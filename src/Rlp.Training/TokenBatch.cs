namespace Rlp.Training;

/// <summary>Which sequences go through the network together.</summary>
internal static class TokenBatch
{
    /// <summary>Consecutive runs of sequences that hold at most so many tokens together (at least one sequence each).</summary>
    public static IEnumerable<(int Start, int Count)> Split(IReadOnlyList<int> lengths, int tokens)
    {
        for (var start = 0; start < lengths.Count;)
        {
            var count = 1;
            for (long total = lengths[start]; start + count < lengths.Count && (total += lengths[start + count]) <= tokens;) count++;
            yield return (start, count);
            start += count;
        }
    }

    /// <summary>
    /// Indices by falling length, those of one length as they came: like lengths go through the network together, and what does not fit into memory
    /// fails at once. The loss is a sum over them, only the order of its additions changes.
    /// </summary>
    public static int[] LongestFirst(IReadOnlyList<int[]> sequences) =>
        [.. Enumerable.Range(0, sequences.Count).OrderByDescending(i => sequences[i].Length)];
}
