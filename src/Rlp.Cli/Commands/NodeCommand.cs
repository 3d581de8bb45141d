using System.CommandLine;
using System.Runtime.InteropServices;
using Akka.Actor;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Cli.Consoles;
using Rlp.Cli.Runs;
using Rlp.Cli.Telemetry;

namespace Rlp.Cli.Commands;

/// <summary>rlp node: one process of a cluster, until a signal ends it.</summary>
internal static class NodeCommand
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    public static Command Create()
    {
        var config = new Option<string>("--config") { Description = "The node's configuration (HOCON): the keys node, cluster, weights, telemetry, journal and runs of hocon/rlp.hocon.", Required = true };
        var set = new Option<string[]>("--set") { Description = "Overrides one key: --set node.threads=1. May be repeated." };
        var drain = new Option<double>("--drain-seconds")
        {
            Description = "How long a signal lets runs move what this node holds for them to other nodes, each after a checkpoint.",
            DefaultValueFactory = _ => 120,
        };
        var command = new Command("node", "Runs one node of a cluster. Runs come by 'rlp submit RECIPE --to HOST:PORT', the address of any node's HTTP endpoint.\n\n"
            + "Examples, a cluster of three on this machine:\n"
            + "  rlp node --config hocon/cluster/one.hocon\n"
            + "  rlp node --config hocon/cluster/two.hocon\n"
            + "  rlp node --config hocon/cluster/three.hocon\n\n"
            + "SIGTERM and Ctrl-C make it leave: runs go on elsewhere. After a crash, start it again with the same command. " + ExitCodes.Explanation) { config, set, drain };
        command.SetAction((arguments, _) => FailureReport.Guard(() => Run(
            arguments.GetValue(config)!, arguments.GetValue(set) ?? [], TimeSpan.FromSeconds(arguments.GetValue(drain)))));
        return command;
    }

    private static async Task<int> Run(string config, string[] overrides, TimeSpan drainWithin)
    {
        var settings = RecipeFile.LoadNode(config, overrides, nothingElse: true);
        var options = NodeSettingsMapping.ToClusterOptions(settings);
        NativeLibrary.Load();
        using var host = NodeHost.Build(
            options,
            new NodeMonitoring(settings),
            new NodeRunsCommand(config, overrides, options.RunsFolder),
            (akka, cluster) => PbmEndpoint.AddTo(akka, settings.PbmPort, cluster, Say));
        await host.StartAsync();
        var system = host.Services.GetRequiredService<ActorSystem>();
        var client = host.Services.GetRequiredService<RunClient>();
        using var scribe = new RunScribe(system, options);
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        Say($"node {options.Name} ({string.Join(", ", options.Roles.Select(r => r.ToString().ToLowerInvariant()))}{(options.Coordinates ? ", coordinator" : "")})");
        Say($"remoting {options.Host}:{options.Port}, HTTP {host.Services.GetRequiredService<NodeAddress>().Http}, runs {options.RunsFolder}, log {options.LogFile}");

        var watching = Watch(client, system);
        if (await Task.WhenAny(stop.Task, system.WhenTerminated) != stop.Task)
        {
            await watching;
            if (CoordinatedShutdown.Get(system).ShutdownReason is CoordinatedShutdown.ClusterLeavingReason)
            {
                Say("left: it was told to by 'cluster leave'");
                return ExitCodes.Done;
            }
            await Console.Error.WriteLineAsync(
                $"rlp: this node has left its cluster by itself: it was on the losing side of a partition, or taken for lost ({options.LogFile} says more). Start it again");
            return ExitCodes.BrokenEnvironment;
        }
        Say("leaving: runs move what is here to other nodes");
        if (!await client.Nodes.DrainAsync(options.Name, drainWithin)) Say($"not everything moved within {drainWithin.TotalSeconds:F0} s; the runs go on from their last checkpoints");
        await host.StopAsync();
        await watching;
        Say("left");
        return ExitCodes.Done;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true; // the process ends by itself once the runs are safe
            stop.TrySetResult();
        }
    }

    /// <summary>A line for each change of the cluster, until the system ends.</summary>
    private static async Task Watch(RunClient client, ActorSystem system)
    {
        var known = new Dictionary<string, string>();
        while (!system.WhenTerminated.IsCompleted)
        {
            var now = client.Nodes.Members().ToDictionary(m => m.Address, m => $"{m.Name} ({string.Join(", ", m.Roles)}) is {(m.Reachable ? m.Status : "out of reach")}");
            foreach (var (address, line) in now)
                if (known.GetValueOrDefault(address) != line) Say(line);
            foreach (var address in known.Keys.Except(now.Keys)) Say($"{address} is gone");
            known = now;
            await Task.WhenAny(Task.Delay(LookEvery), system.WhenTerminated);
        }
    }

    private static void Say(string line) => Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {line}");
}
