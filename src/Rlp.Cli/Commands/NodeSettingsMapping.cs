using Microsoft.Data.Sqlite;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Training;
using Rlp.Training.Engines;

namespace Rlp.Cli.Commands;

/// <summary>The configuration's node settings as the node's options.</summary>
internal static class NodeSettingsMapping
{
    /// <param name="runs">The --runs option, which wins over the configuration.</param>
    public static NodeOptions ToOptions(NodeSettings settings, string? runs, IEngineFactory engines)
    {
        var options = new NodeOptions
        {
            RunsFolder = Path.GetFullPath(runs ?? settings.Runs),
            Engines = engines,
            Host = settings.Host,
            Port = settings.Port,
            Security = settings.Security,
            WeightBytesPerSecond = settings.WeightBytesPerSecond,
            Threads = ThreadPlan.Of(settings.Threads).KernelThreads,
            Synchronous = settings.JournalSynchronous == JournalSynchronous.Full ? SqliteSynchronous.Full : SqliteSynchronous.Normal,
            JournalFile = settings.JournalConnectionString.Length == 0 ? null : new SqliteConnectionStringBuilder(settings.JournalConnectionString).DataSource,
        };
        return settings.MemoryBytes is { } memory ? options with { MemoryBytes = memory } : options;
    }

    /// <summary>Where commands that only read find the journal of a runs folder.</summary>
    public static string JournalOf(string? runs) => Path.Combine(Path.GetFullPath(runs ?? new NodeSettings().Runs), "journal.db");
}
