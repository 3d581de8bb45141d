namespace Rlp.Chaos.Tests;

/// <summary>
/// Five nodes that can all do everything, each in a network namespace of its own, with TLS and a token. Test classes share it, one after the other;
/// where there can be no namespaces they are skipped.
/// </summary>
[CollectionDefinition(nameof(OneNetwork))]
public sealed class OneNetwork : IAsyncLifetime, ICollectionFixture<OneNetwork>
{
    /// <summary>Every node could run a run by itself: only their agreement on who goes on keeps one from it.</summary>
    private const string Roles = "coordinator, learner, ema, data, rollout, reward";

    internal static readonly string[] Nodes = ["a", "b", "c", "d", "e"];

    private readonly string? missing = NetworkNamespaces.Missing();
    private NetworkNamespaces? network;
    private NodeCluster? cluster;

    /// <summary>Skips the test where there are none.</summary>
    internal NetworkNamespaces Network
    {
        get
        {
            Assert.SkipWhen(missing is not null, missing ?? "");
            return network!;
        }
    }

    /// <summary>All nodes are up when it is given.</summary>
    internal async Task<NodeCluster> ClusterAsync()
    {
        if (cluster is null)
        {
            cluster = new NodeCluster([.. Nodes.Select(node => (node, Roles))], place: Network);
            await cluster.InitializeAsync();
        }
        await cluster.RestartDeadAsync();
        return cluster;
    }

    public ValueTask InitializeAsync()
    {
        if (missing is null) network = new NetworkNamespaces(Nodes);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (cluster is not null) await cluster.DisposeAsync();
        network?.Dispose();
    }
}
