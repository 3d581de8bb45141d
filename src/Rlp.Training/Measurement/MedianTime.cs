using System.Diagnostics;

namespace Rlp.Training.Measurement;

/// <summary>How long the same work takes: once to warm up, then several times, of which the median counts.</summary>
public static class MedianTime
{
    /// <summary>Seconds of one call.</summary>
    /// <param name="repeats">Timed calls, at least 1; of an even number the upper of the two in the middle counts.</param>
    public static double Seconds(int repeats, Action work)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(repeats, 1);
        work();
        var seconds = new double[repeats];
        for (var i = 0; i < repeats; i++)
        {
            var started = Stopwatch.GetTimestamp();
            work();
            seconds[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
        Array.Sort(seconds);
        return seconds[repeats / 2];
    }
}
