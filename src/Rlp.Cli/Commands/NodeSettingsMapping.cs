using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Runs;
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
        var folder = Path.GetFullPath(runs ?? settings.Runs);
        var onGpu = settings.Device == NodeDevice.Cuda;
        if (onGpu) NativeLibrary.LoadCuda();
        var options = new NodeOptions
        {
            RunsFolder = folder,
            Engines = new TorchEngineFactory(onGpu ? torch.CUDA : torch.CPU),
            Device = onGpu ? "the GPU" : "the CPU",
            Host = settings.Host,
            Port = settings.Port,
            Security = settings.Security,
            WeightBytesPerSecond = settings.WeightBytesPerSecond,
            Threads = ThreadPlan.Of(settings.Threads).KernelThreads,
            Journal = settings.JournalOf(folder),
            ThoughtBytes = settings.ThoughtBytes,
        };
        return (settings.MemoryBytes ?? (onGpu ? (long?)CudaMemory.Total() : null)) is { } memory ? options with { MemoryBytes = memory } : options;
    }

    /// <summary>Of a node of a cluster, which `rlp node` starts.</summary>
    public static NodeOptions ToClusterOptions(NodeSettings settings)
    {
        var address = $"{settings.Host}:{settings.Port}";
        return ToOptions(settings, runs: null) with
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
}
