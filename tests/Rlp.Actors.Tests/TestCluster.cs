using System.Net;
using System.Net.Sockets;
using Rlp.Actors.Hosting;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

/// <summary>Several nodes in this process, which find each other over loopback and share one journal and one folder of runs.</summary>
internal sealed class TestCluster(string folder, FakeEngines engines) : IAsyncDisposable
{
    private readonly List<TestNode> nodes = [];
    private string? seed;

    public FakeEngines Engines => engines;

    /// <summary>What is otherwise than usual on its nodes.</summary>
    public Func<NodeOptions, NodeOptions> With { get; init; } = options => options;

    public TestNode this[string name] => nodes.Last(n => n.Options.Name == name);

    /// <summary>Starts a node and waits until it is a member; the first one begins the cluster.</summary>
    public async Task<TestNode> AddAsync(string name, bool coordinates, params Role[] roles)
    {
        var port = FreePort();
        seed ??= $"127.0.0.1:{port}";
        var node = await TestNode.StartAsync(With(TestNode.OptionsFor(folder, engines) with
        {
            Name = name,
            Port = port,
            Roles = roles,
            Coordinates = coordinates,
            ContinueRunning = true,
            LaneStartWithin = TimeSpan.FromSeconds(1),
            Cluster = new ClusterSettings
            {
                SeedNodes = [seed],
                HeartbeatPause = TimeSpan.FromSeconds(1),
                StableAfter = TimeSpan.FromSeconds(1),
                SplitBrain = SplitBrainStrategy.KeepMajority,
            },
        }));
        nodes.Add(node);
        var cluster = Akka.Cluster.Cluster.Get(node.System);
        await TestNode.EventuallyAsync(() => Task.FromResult(cluster.SelfMember.Status == Akka.Cluster.MemberStatus.Up), $"{name} is up");
        return node;
    }

    /// <summary>The node's process dies: nothing is flushed, nobody is told.</summary>
    public void Kill(string name)
    {
        var node = this[name];
        ((Akka.Actor.ExtendedActorSystem)node.System).Abort();
        nodes.Remove(node);
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(nodes.Select(n => n.DisposeAsync().AsTask()));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
