namespace Rlp.Benchmarks.Measuring;

internal static class Median
{
    /// <summary>The middle value, of an even number the lower of the two.</summary>
    public static double Of(IReadOnlyList<double> values) => values.Order().ElementAt((values.Count - 1) / 2);
}
