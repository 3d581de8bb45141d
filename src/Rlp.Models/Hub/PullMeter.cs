using System.Diagnostics;

namespace Rlp.Models.Hub;

/// <summary>Counts a pull's bytes and tells whoever watches, at most ten times a second and at the end of every file.</summary>
internal sealed class PullMeter(IProgress<HubProgress>? progress, long? total, long alreadyThere)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly Stopwatch clock = Stopwatch.StartNew();
    private TimeSpan lastReport = -Interval;
    private long received;

    public long Bytes { get; private set; } = alreadyThere;

    public void Gain(string file, long bytes)
    {
        Bytes += bytes;
        received += bytes;
        if (clock.Elapsed - lastReport >= Interval) Report(file);
    }

    /// <summary>Bytes that have to be fetched anew.</summary>
    public void Lose(long bytes) => Bytes -= bytes;

    public void Report(string file)
    {
        lastReport = clock.Elapsed;
        progress?.Report(new HubProgress(file, Bytes, total, received / Math.Max(clock.Elapsed.TotalSeconds, 1e-3)));
    }
}
