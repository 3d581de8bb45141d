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
        var folder = Path.GetFullPath(runs ?? settings.Runs);
        var options = new NodeOptions
        {
            RunsFolder = folder,
            Engines = engines,
            Host = settings.Host,
            Port = settings.Port,
            Threads = ThreadPlan.Of(settings.Threads).KernelThreads,
            Journal = settings.JournalOf(folder),
        };
        return settings.MemoryBytes is { } memory ? options with { MemoryBytes = memory } : options;
    }
}
