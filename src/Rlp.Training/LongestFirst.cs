namespace Rlp.Training;

/// <summary>
/// The order in which sequences go into micro-batches: those of like length together, so that little is padding, and the longest first, so that
/// what does not fit into memory fails at once. The loss is a sum over them: only the order of its additions changes.
/// </summary>
internal static class LongestFirst
{
    /// <summary>Indices by falling length, those of one length as they came.</summary>
    public static int[] Order(IReadOnlyList<int[]> sequences) =>
        [.. Enumerable.Range(0, sequences.Count).OrderByDescending(i => sequences[i].Length)];
}
