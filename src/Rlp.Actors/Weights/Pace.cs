using System.Diagnostics;

namespace Rlp.Actors.Weights;

/// <summary>Spreads what all transfers of a node send over time, so that together they keep to a rate.</summary>
/// <param name="bytesPerSecond">0: no limit.</param>
internal sealed class Pace(long bytesPerSecond)
{
    private readonly Lock gate = new();
    private long due = Stopwatch.GetTimestamp(); // when the line is free again

    /// <summary>Waits until so many bytes more may be sent.</summary>
    public Task WaitAsync(int bytes, CancellationToken cancellation)
    {
        if (bytesPerSecond <= 0) return Task.CompletedTask;
        TimeSpan wait;
        lock (gate)
        {
            var now = Stopwatch.GetTimestamp();
            due = Math.Max(due, now) + (long)((double)bytes / bytesPerSecond * Stopwatch.Frequency);
            wait = Stopwatch.GetElapsedTime(now, due);
        }
        return Task.Delay(wait, cancellation);
    }
}
