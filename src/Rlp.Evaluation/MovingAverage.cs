namespace Rlp.Evaluation;

/// <summary>A centred mean: unlike a trailing one it does not lag behind a curve that falls fast.</summary>
public static class MovingAverage
{
    /// <summary>
    /// The window that suits a series of that length: about a twentieth, odd, at most 51; 1 (the series itself) below 60 points.
    /// </summary>
    public static int WindowFor(int points) => (Math.Clamp(points / 20, 1, 51) - 1) / 2 * 2 + 1;

    /// <summary>For each point the mean of the <paramref name="window"/> values around it, fewer near an end.</summary>
    /// <exception cref="ArgumentException">The window is not odd and positive.</exception>
    public static double[] Of(IReadOnlyList<double> values, int window)
    {
        if (window < 1 || window % 2 == 0)
            throw new ArgumentException($"a centred window is odd and positive, not {window}", nameof(window));
        var means = new double[values.Count];
        for (var i = 0; i < values.Count; i++)
        {
            var (first, last) = (Math.Max(0, i - window / 2), Math.Min(values.Count - 1, i + window / 2));
            var sum = 0.0;
            for (var j = first; j <= last; j++) sum += values[j];
            means[i] = sum / (last - first + 1);
        }
        return means;
    }
}
