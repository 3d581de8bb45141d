using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Models;
using Rlp.Training.Weights;
using static TorchSharp.torch;

namespace Rlp.Actors.Tests.Weights;

/// <summary>What a node shows of itself without its actor system: an endpoint on loopback, and weights behind it.</summary>
internal sealed class WeightExchange : IAsyncDisposable
{
    public const string Run = "r";

    private static long seed;

    private readonly IHost host;
    private readonly ArenaLayout layout = new();

    private WeightExchange(IHost host, NodeNetwork network, long elements)
    {
        (this.host, Network) = (host, network);
        layout.AddMatrix("matrix", 100, ("matrix", elements / 100));
        Live = new ParameterArena(layout, trainable: false);
        Published = new PublishedWeights(Live, staleness: 0, served: true);
        Weights.Publish(Run, WeightNames.Policy, Published);
    }

    public NodeNetwork Network { get; }

    public NodeWeights Weights => Network.Weights;

    public ParameterArena Live { get; }

    public PublishedWeights Published { get; }

    public WeightReference Newest => Weights.References(Run, WeightNames.Policy)[^1];

    public static async Task<WeightExchange> StartAsync(Func<NodeOptions, NodeOptions>? change = null, long elements = 700_000)
    {
        var options = new NodeOptions
        {
            RunsFolder = Path.GetTempPath(),
            Engines = new FakeEngines(),
            HttpPort = 0,
            Transfers = new WeightTransferSettings { Attempts = 3, Backoff = TimeSpan.FromMilliseconds(1), StallTimeout = TimeSpan.FromSeconds(5) },
        };
        var network = new NodeNetwork(change?.Invoke(options) ?? options, () => throw new InvalidOperationException("no runs here"));
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        network.AddTo(builder.Services);
        var host = builder.Build();
        await host.StartAsync();
        var exchange = new WeightExchange(host, network, elements);
        exchange.Take(0);
        return exchange;
    }

    /// <summary>Weights that no exchange had before become the newest version.</summary>
    public void Take(long version)
    {
        Published.Change();
        Live.Initialize(Interlocked.Increment(ref seed), range: 1);
        Published.Take(version);
    }

    /// <summary>A reader of another node's weights of this size.</summary>
    public WeightReader Reader() => Weights.Reader(Run, WeightNames.Policy, layout, ScalarType.Float32, versions: 1);

    /// <summary>The digest of what arrives, or the failure's message.</summary>
    public string Fetch(WeightReference reference)
    {
        using var reader = Reader();
        try
        {
            using var read = reader.Read(reference.Version, reference);
            Assert.NotSame(Live, read.Arena);
            return read.Arena.Sha256();
        }
        catch (WeightTransferException e)
        {
            return e.Message;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
        Published.Dispose();
        Live.Dispose();
    }
}
