using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Hosting;

/// <summary>How one process, as one node, takes part. The defaults are those of an embedded single node.</summary>
public sealed record NodeOptions
{
    /// <summary>Folder of the runs; each has a folder of its own below it.</summary>
    public required string RunsFolder { get; init; }

    public required IEngineFactory Engines { get; init; }

    /// <summary>Where not set, the SQLite file journal.db in <see cref="RunsFolder"/>.</summary>
    public JournalSettings Journal
    {
        get => field ?? JournalSettings.InFolder(RunsFolder);
        init;
    }

    /// <summary>Address and port the node's remoting listens on; port 0 takes a free one.</summary>
    public string Host { get; init; } = "127.0.0.1";

    public int Port { get; init; }

    /// <summary>What people call the node.</summary>
    public string Name { get; init; } = "local";

    /// <summary>The workers of this node.</summary>
    public IReadOnlyList<Role> Roles { get; init; } = Enum.GetValues<Role>();

    /// <summary>True where run entities and the registry may stand on this node.</summary>
    public bool Coordinates { get; init; } = true;

    /// <summary>The cluster that the node joins; null: it is one by itself, and its process alone may run its runs.</summary>
    public ClusterSettings? Cluster { get; init; }

    /// <summary>
    /// Port of the node's HTTP endpoint on <see cref="Host"/>, 0 takes a free one. Null: no endpoint; then no other node can read the weights that
    /// this one publishes, nor this one theirs.
    /// </summary>
    public int? HttpPort { get; init; }

    /// <summary>Bytes of weights per second that this node sends to others, all together; 0 is no limit.</summary>
    public long WeightBytesPerSecond { get; init; }

    /// <summary>How long and how often this node tries to get weights from others.</summary>
    public WeightTransferSettings Transfers { get; init; } = new();

    public NodeSecurity Security { get; init; } = new();

    /// <summary>What the engines compute on, for people.</summary>
    public string Device { get; init; } = "the CPU";

    /// <summary>Cores of this node's device; <see cref="ThreadPlan"/> says who works on them.</summary>
    public int Threads { get; init; } = ThreadPlan.Of(setting: 0).KernelThreads;

    /// <summary>Memory that leases may take, in bytes.</summary>
    public long MemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>An engine call without an answer for so long is issued again.</summary>
    public TimeSpan EngineDeadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>An engine call without an answer for so long is named in the log and to the run's subscribers.</summary>
    public TimeSpan WarnAfter { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>Work that no lane entity has begun after so long is sent again.</summary>
    public TimeSpan LaneStartWithin { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Times that failed work is issued again before the run fails.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>A checkpoint that its disk does not take is tried again for so long before the run fails; its engines keep what they hold.</summary>
    public TimeSpan StorageGiveUpAfter { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Bytes that the thoughts of a run may take on disk, the oldest go first; null keeps none.</summary>
    public long? ThoughtBytes { get; init; } = 1L << 30;

    /// <summary>Pause before a failed engine's successor starts; doubled with each failure in a row, up to the maximum.</summary>
    public TimeSpan RestartBackoff { get; init; } = TimeSpan.FromMilliseconds(200);

    public TimeSpan MaximumRestartBackoff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// True: the registry continues every run that the journal says is running as soon as the node is up. False for a command line, where
    /// a person says which run to continue.
    /// </summary>
    public bool ContinueRunning { get; init; }

    /// <summary>Further settings of the actor system, in HOCON; they win over the node's own.</summary>
    public string Settings { get; init; } = "";

    /// <summary>Called on the run entity's thread before (false) and after (true) events are durable; a test's way to stop it there.</summary>
    public Action<IReadOnlyList<IRunEvent>, bool>? OnJournal { get; init; }

    /// <summary>Called when a run entity has recovered, with its run and the number of events it read after its snapshot; a test's way to count.</summary>
    public Action<string, int>? OnRecovered { get; init; }

    /// <summary>Where the node's warnings and errors go.</summary>
    public string LogFile => Path.Combine(RunsFolder, Cluster is null ? "node.log" : $"node-{Name}.log");

    public string RunFolder(string runId) => Path.Combine(Path.GetFullPath(RunsFolder), runId);
}
