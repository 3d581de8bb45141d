using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Protocol.Runs;

namespace Rlp.Cli.Configuration;

/// <summary>Where a node's networks lie and compute.</summary>
public enum NodeDevice
{
    Cpu,

    /// <summary>The first CUDA device that the process sees.</summary>
    Cuda,
}

/// <summary>What belongs to the machine and not to the recipe. Only <see cref="Threads"/> and <see cref="Device"/> can change the bits of a run.</summary>
public sealed record NodeSettings
{
    public const string Coordinator = "coordinator";

    public const int StandardPbmPort = 9110;

    public static readonly IReadOnlyList<string> WorkerRoles = [.. Enum.GetNames<Role>().Select(r => r.ToLowerInvariant())];

    /// <summary>What people call the node; empty: its address.</summary>
    public string Name { get; init; } = "";

    /// <summary>What the node does in a cluster.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [Coordinator, .. WorkerRoles];

    /// <summary>HOST:PORT of the nodes that a cluster begins with.</summary>
    public IReadOnlyList<string> SeedNodes { get; init; } = [];

    public SplitBrainStrategy SplitBrain { get; init; } = SplitBrainStrategy.KeepMajority;
    public TimeSpan HeartbeatPause { get; init; } = TimeSpan.FromSeconds(2);
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Threads of the numerical kernels; 0 is the number of cores.</summary>
    public int Threads { get; init; }

    public NodeDevice Device { get; init; } = NodeDevice.Cpu;

    /// <summary>The address that the node's endpoints bind to.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 lets the system choose a free one.</summary>
    public int Port { get; init; }

    /// <summary>Bytes that device leases may hand out; null measures the machine.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Bytes that the thoughts of a run may take on disk; null keeps none.</summary>
    public long? ThoughtBytes { get; init; } = 1L << 30;

    /// <summary>Of the HTTP endpoint, where the command opens one; 0 lets the system choose a free one.</summary>
    public int HttpPort { get; init; }

    /// <summary>Of 127.0.0.1, where pbm finds a node of a cluster; 0 is none.</summary>
    public int PbmPort { get; init; } = StandardPbmPort;

    public NodeSecurity Security { get; init; } = new();

    /// <summary>What the node sends to others at most, in bytes; 0 is no limit.</summary>
    public long WeightBytesPerSecond { get; init; }

    /// <summary>The OTLP collector that gets traces and metrics; null: none.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>Share of the steps in [0, 1] that are traced.</summary>
    public double TraceRatio { get; init; } = 1;

    /// <summary>Null: the file journal.db in <see cref="Runs"/>.</summary>
    public JournalSettings? Journal { get; init; }

    /// <summary>What a commit survives, and how long a run waits for a journal that is away: for the default journal too.</summary>
    public JournalSynchronous JournalSynchronous { get; init; } = JournalSynchronous.Normal;

    public TimeSpan JournalGiveUpAfter { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The folder that holds one folder per run.</summary>
    public string Runs { get; init; } = "runs";

    /// <summary>The journal of these settings.</summary>
    /// <param name="runsFolder">The runs folder, where the default journal stands.</param>
    public JournalSettings JournalOf(string runsFolder) =>
        (Journal ?? JournalSettings.InFolder(runsFolder)) with { Synchronous = JournalSynchronous, GiveUpAfter = JournalGiveUpAfter };
}
