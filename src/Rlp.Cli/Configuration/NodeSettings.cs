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
    /// <summary>Threads of the numerical kernels; 0 is the number of cores.</summary>
    public int Threads { get; init; }

    public NodeDevice Device { get; init; } = NodeDevice.Cpu;

    /// <summary>The address that the node's endpoints bind to.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 lets the system choose a free one.</summary>
    public int Port { get; init; }

    /// <summary>Bytes that device leases may hand out; null measures the machine.</summary>
    public long? MemoryBytes { get; init; }

    public JournalProvider JournalProvider { get; init; } = JournalProvider.Sqlite;

    /// <summary>Empty: the file journal.db in <see cref="Runs"/>.</summary>
    public string JournalConnectionString { get; init; } = "";

    public JournalSynchronous JournalSynchronous { get; init; } = JournalSynchronous.Normal;

    /// <summary>The folder that holds one folder per run.</summary>
    public string Runs { get; init; } = "runs";
}
