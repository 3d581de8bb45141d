namespace Rlp.Training.Weights;

/// <summary>How long and how often a node tries to get weights.</summary>
public sealed record WeightTransferSettings
{
    public int Attempts { get; init; } = 4;

    /// <summary>Pause before the second attempt; doubled before each further one.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Without one more byte for so long an attempt is over.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>An attempt that is slower than this on the whole is over, too: a publisher that drips must not hold a step for ever.</summary>
    public long LeastBytesPerSecond { get; init; } = 1 << 20;

    /// <summary>
    /// Weights that this node publishes are fetched as well, through its own endpoint, instead of being read by handle: shows the channel at work
    /// on one node.
    /// </summary>
    public bool FetchOwn { get; init; }

    /// <summary>How long one attempt may take for so many bytes.</summary>
    public TimeSpan LimitFor(long bytes) => StallTimeout + TimeSpan.FromSeconds((double)bytes / LeastBytesPerSecond);
}
