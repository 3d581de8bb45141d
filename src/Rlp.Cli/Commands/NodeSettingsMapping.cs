using Microsoft.Data.Sqlite;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Runs;
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

    /// <summary>Of a node of a cluster, which `rlp node` starts.</summary>
    public static NodeOptions ToClusterOptions(NodeSettings settings, IEngineFactory engines)
    {
        var address = $"{settings.Host}:{settings.Port}";
        return ToOptions(settings, runs: null, engines) with
        {
            Name = settings.Name.Length > 0 ? settings.Name : address.Replace(':', '-'),
            Roles = [.. Enum.GetValues<Role>().Where(r => settings.Roles.Contains(r.ToString().ToLowerInvariant()))],
            Coordinates = settings.Roles.Contains(NodeSettings.Coordinator),
            HttpPort = settings.HttpPort,
            ContinueRunning = true,
            Cluster = new ClusterSettings
            {
                SeedNodes = settings.SeedNodes.Count > 0 ? settings.SeedNodes : [address],
                SplitBrain = settings.SplitBrain,
                HeartbeatPause = settings.HeartbeatPause,
                StableAfter = settings.StableAfter,
            },
        };
    }

    /// <summary>Where commands that only read find the journal of a runs folder.</summary>
    public static string JournalOf(string? runs) => Path.Combine(Path.GetFullPath(runs ?? new NodeSettings().Runs), "journal.db");
}
