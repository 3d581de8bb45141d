namespace Rlp.Evaluation;

/// <summary>A centred mean: unlike a trailing one it does not lag behind a curve that falls fast.</summary>
public static class MovingAverage
{
    /// <summary>The window that suits a series of that length: about a twentieth, odd, at most 51; 1 (the series itself) below 60 points.</summary>
    public static int WindowFor(int points) => (Math.Clamp(points / 20, 1, 51) - 1) / 2 * 2 + 1;

    /// <summary>For each point the mean of the <paramref name="window"/> values around it, fewer on both sides alike near an end.</summary>
    /// <exception cref="ArgumentException">The window is not odd and positive.</exception>
    public static double[] Of(IReadOnlyList<double> values, int window)
    {
        if (window < 1 || window % 2 == 0) throw new ArgumentException($"a centred window is odd and positive, not {window}", nameof(window));
        var means = new double[values.Count];
        for (var i = 0; i < values.Count; i++)
        {
            var reach = Math.Min(window / 2, Math.Min(i, values.Count - 1 - i));
            var sum = 0.0;
            for (var j = i - reach; j <= i + reach; j++) sum += values[j];
            means[i] = sum / (2 * reach + 1);
        }
        return means;
    }
}
