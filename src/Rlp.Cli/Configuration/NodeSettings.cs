using Rlp.Actors.Hosting;
using Rlp.Protocol.Runs;

namespace Rlp.Cli.Configuration;

public enum JournalProvider
{
    Sqlite,
}

public enum JournalSynchronous
{
    /// <summary>A commit survives the crash of the process; the last commits may be lost when the machine loses power.</summary>
    Normal,

    /// <summary>A commit survives the loss of power.</summary>
    Full,
}

/// <summary>What belongs to the machine and not to the recipe. Only <see cref="Threads"/> can change the bits of a run.</summary>
public sealed record NodeSettings
{
    public const string Coordinator = "coordinator";

    public static readonly IReadOnlyList<string> WorkerRoles = [.. Enum.GetNames<Role>().Select(r => r.ToLowerInvariant())];

    /// <summary>What people call the node; empty: its address.</summary>
    public string Name { get; init; } = "";

    /// <summary>What the node does in a cluster.</summary>
    public IReadOnlyList<string> Roles { get; init; } = [Coordinator, .. WorkerRoles];

    /// <summary>HOST:PORT of the nodes that a cluster begins with.</summary>
    public IReadOnlyList<string> SeedNodes { get; init; } = [];

    public SplitBrainStrategy SplitBrain { get; init; } = SplitBrainStrategy.KeepMajority;
    public TimeSpan HeartbeatPause { get; init; } = TimeSpan.FromSeconds(3);
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Threads of the numerical kernels; 0 is the number of cores.</summary>
    public int Threads { get; init; }

    /// <summary>The address that the node's endpoints bind to.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 lets the system choose a free one.</summary>
    public int Port { get; init; }

    /// <summary>Bytes that device leases may hand out; null measures the machine.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Of the HTTP endpoint, where the command opens one; 0 lets the system choose a free one.</summary>
    public int HttpPort { get; init; }

    public NodeSecurity Security { get; init; } = new();

    /// <summary>What the node sends to others at most, in bytes; 0 is no limit.</summary>
    public long WeightBytesPerSecond { get; init; }

    public JournalProvider JournalProvider { get; init; } = JournalProvider.Sqlite;

    /// <summary>Empty: the file journal.db in <see cref="Runs"/>.</summary>
    public string JournalConnectionString { get; init; } = "";

    public JournalSynchronous JournalSynchronous { get; init; } = JournalSynchronous.Normal;

    /// <summary>The folder that holds one folder per run.</summary>
    public string Runs { get; init; } = "runs";
}
