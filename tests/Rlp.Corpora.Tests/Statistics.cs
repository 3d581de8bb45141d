namespace Rlp.Corpora.Tests;

internal static class Statistics
{
    /// <summary>
    /// Pearson's chi-square against equal cells; fails beyond five standard deviations (the draws are fixed, so it never flickers).
    /// </summary>
    public static void AssertUniform(IReadOnlyCollection<int> counts)
    {
        double expected = (double)counts.Sum() / counts.Count, freedom = counts.Count - 1;
        var chiSquare = counts.Sum(observed => (observed - expected) * (observed - expected) / expected);
        var message = $"chi-square {chiSquare} at {freedom} degrees of freedom: {string.Join(", ", counts)}";
        Assert.True(chiSquare <= freedom + 5 * Math.Sqrt(2 * freedom), message);
    }

    /// <summary>Fails where a share of n draws is more than five standard errors from its probability.</summary>
    public static void AssertShare(double probability, int hits, int n)
    {
        var error = 5 * Math.Sqrt(probability * (1 - probability) / n);
        Assert.InRange((double)hits / n, probability - error, probability + error);
    }
}
