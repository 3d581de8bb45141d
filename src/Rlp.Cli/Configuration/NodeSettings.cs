using Rlp.Actors.Journals;

namespace Rlp.Cli.Configuration;

/// <summary>What belongs to the machine and not to the recipe. Only <see cref="Threads"/> can change the bits of a run.</summary>
public sealed record NodeSettings
{
    /// <summary>Threads of the numerical kernels; 0 is the number of cores.</summary>
    public int Threads { get; init; }

    /// <summary>The address that the node's endpoints bind to.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 lets the system choose a free one.</summary>
    public int Port { get; init; }

    /// <summary>Bytes that device leases may hand out; null measures the machine.</summary>
    public long? MemoryBytes { get; init; }

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
