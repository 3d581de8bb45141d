using System.Reflection;
using System.Runtime.InteropServices;
using Akka.Actor;
using Rlp.Protocol.Payloads;

namespace Rlp.Actors.Hosting;

/// <summary>What decides the bits of this node's results besides recipe and seed.</summary>
public static class NodeEnvironment
{
    public static RunEnvironment Describe(NodeOptions options) => Describe(options.Threads);

    /// <param name="threads">Cores of the device, see <see cref="NodeOptions.Threads"/>.</param>
    public static RunEnvironment Describe(int threads) => new()
    {
        MachineKind = $"{RuntimeInformation.OSArchitecture} {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}",
        Threads = threads,
        Versions = new Dictionary<string, string>
        {
            ["rlp"] = Version(typeof(NodeEnvironment).Assembly),
            ["dotnet"] = Environment.Version.ToString(),
            ["akka"] = Version(typeof(ActorSystem).Assembly),
            ["torchsharp"] = Version(typeof(TorchSharp.torch).Assembly),
        },
    };

    private static string Version(Assembly assembly) => assembly.GetName().Version?.ToString() ?? "unknown";
}
