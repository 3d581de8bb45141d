using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Rlp.Actors.Hosting;
using Rlp.Actors.Tests;
using Rlp.Cli.Commands;
using Rlp.Cli.Consoles;
using Rlp.Consoles;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>A node of a cluster in this process, composed as `rlp node` composes it, and what its console answers.</summary>
internal sealed class ConsoleNode : IAsyncDisposable
{
    private readonly IHost host;

    private ConsoleNode(IHost host, NodeOptions options) => (this.host, Options) = (host, options);

    public NodeOptions Options { get; }

    public RunClient Runs => host.Services.GetRequiredService<RunClient>();

    public Akka.Actor.ActorSystem System => host.Services.GetRequiredService<Akka.Actor.ActorSystem>();

    public string Address => host.Services.GetRequiredService<NodeAddress>().Http!.Authority;

    /// <param name="seed">A node of the cluster to join; null begins one.</param>
    public static async Task<ConsoleNode> StartAsync(string folder, string name, FakeEngines engines, ConsoleNode? seed = null, string? tokenFile = null)
    {
        var port = FreePort();
        var options = new NodeOptions
        {
            RunsFolder = folder,
            Engines = engines,
            Threads = 1,
            Name = name,
            Port = port,
            HttpPort = 0,
            ContinueRunning = true,
            Security = new NodeSecurity { TokenFile = tokenFile },
            RestartBackoff = TimeSpan.FromMilliseconds(20),
            Cluster = new ClusterSettings { SeedNodes = [$"127.0.0.1:{seed?.Options.Port ?? port}"], SplitBrain = SplitBrainStrategy.KeepOldest },
        };
        var host = NodeHost.Build(options, console: new NodeRunsCommand(Path.Combine(folder, "absent.hocon"), [], folder));
        await host.StartAsync();
        var node = new ConsoleNode(host, options);
        await EventuallyAsync(() => Task.FromResult(node.Runs.Nodes.Members().Any(m => m.Self && m.Status == "up")), $"{name} is up");
        return node;
    }

    /// <summary>Every line as one text: cells are separated by '|', errors begin with '!'.</summary>
    public async Task<string[]> AskAsync(string command, int atMost = int.MaxValue)
    {
        using var client = new ConsoleClient(Address, Options.Security.TokenFile);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var lines = new List<string>();
        await foreach (var line in client.AskAsync(command, limit.Token))
        {
            lines.Add(line switch { TextLine t => t.Text, ColumnsLine c => string.Join('|', c.Names), RowLine r => string.Join('|', r.Cells), ErrorLine e => "!" + e.Message, _ => "?" });
            if (lines.Count == atMost) break;
        }
        return [.. lines];
    }

    public static async Task EventuallyAsync(Func<Task<bool>> condition, string what)
    {
        for (var waited = 0; !await condition(); waited += 50)
        {
            Assert.True(waited < 60_000, $"did not come about: {what}");
            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
