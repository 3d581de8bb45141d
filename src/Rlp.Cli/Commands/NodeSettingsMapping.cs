using Microsoft.Data.Sqlite;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Training;
using Rlp.Training.Engines.Torch;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>The configuration's node settings as the node's options.</summary>
internal static class NodeSettingsMapping
{
    /// <param name="runs">The --runs option, which wins over the configuration.</param>
    /// <exception cref="NativeLibraryException">No CUDA device, and the settings name one.</exception>
    public static NodeOptions ToOptions(NodeSettings settings, string? runs)
    {
        var onGpu = settings.Device == NodeDevice.Cuda;
        if (onGpu) NativeLibrary.LoadCuda();
        var options = new NodeOptions
        {
            RunsFolder = Path.GetFullPath(runs ?? settings.Runs),
            Engines = new TorchEngineFactory(onGpu ? torch.CUDA : torch.CPU),
            Device = onGpu ? "the GPU" : "the CPU",
            Host = settings.Host,
            Port = settings.Port,
            Threads = ThreadPlan.Of(settings.Threads).KernelThreads,
            Synchronous = settings.JournalSynchronous == JournalSynchronous.Full ? SqliteSynchronous.Full : SqliteSynchronous.Normal,
            JournalFile = settings.JournalConnectionString.Length == 0 ? null : new SqliteConnectionStringBuilder(settings.JournalConnectionString).DataSource,
        };
        return (settings.MemoryBytes ?? (onGpu ? (long?)CudaMemory.Total() : null)) is { } memory ? options with { MemoryBytes = memory } : options;
    }

    /// <summary>Where commands that only read find the journal of a runs folder.</summary>
    public static string JournalOf(string? runs) => Path.Combine(Path.GetFullPath(runs ?? new NodeSettings().Runs), "journal.db");
}
