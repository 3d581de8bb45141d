namespace Rlp.Actors.Hosting;

/// <summary>Which side of a cluster that has come apart goes on.</summary>
public enum SplitBrainStrategy
{
    /// <summary>The larger one; for three nodes and more. A node alone against two others ends.</summary>
    KeepMajority,

    /// <summary>The one with the oldest node, unless that is alone; for two nodes.</summary>
    KeepOldest,
}

/// <summary>How a node finds its cluster and when it takes another node for lost.</summary>
public sealed record ClusterSettings
{
    /// <summary>HOST:PORT of the nodes that a cluster begins with, the same list on every node. The first of them begins one where there is none.</summary>
    public required IReadOnlyList<string> SeedNodes { get; init; }

    public SplitBrainStrategy SplitBrain { get; init; } = SplitBrainStrategy.KeepMajority;

    /// <summary>
    /// A node without a heartbeat for so long is taken for unreachable. Heartbeats have threads of their own: under full load the longest pause
    /// that was measured is 59 ms.
    /// </summary>
    public TimeSpan HeartbeatPause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Nodes that are unreachable for so long without another change are removed, or this side ends itself. What stood on them is begun elsewhere
    /// after as long again, so that a side that ends itself has done so.
    /// </summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Engines of a run whose entity is gone stay open for so long: its successor may go on with them.</summary>
    public TimeSpan OrphanedFor { get; init; } = TimeSpan.FromMinutes(2);
}
