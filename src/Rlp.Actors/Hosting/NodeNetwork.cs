using Akka.Event;
using Akka.Hosting;
using Akka.Remote.Transport.DotNetty;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Actors.Weights;
using Rlp.Training.Weights;

namespace Rlp.Actors.Hosting;

/// <summary>What a node shows to other machines and takes from them: its credentials, remoting's TLS, the HTTP endpoint and the weights behind it.</summary>
internal sealed class NodeNetwork : IDisposable
{
    private readonly NodeCredentials credentials;
    private readonly RefusalLog refusals = new();
    private readonly NodeEndpoint? endpoint;
    private readonly HttpWeightChannel? channel;
    private readonly WeightRoutes? routes;

    /// <exception cref="InvalidOperationException">As <see cref="NodeCredentials.Load"/>.</exception>
    /// <param name="runs">How the endpoint's requests about runs reach them, once the node is started.</param>
    /// <param name="more">What else the endpoint answers.</param>
    public NodeNetwork(NodeOptions options, Func<RunClient> runs, IEnumerable<INodeRoutes>? more = null)
    {
        credentials = NodeCredentials.Load(options);
        if (options.HttpPort is null)
        {
            Weights = new NodeWeights();
            return;
        }
        channel = new HttpWeightChannel(() => endpoint!.Address, credentials);
        Weights = new NodeWeights(channel, options.Transfers);
        routes = new WeightRoutes(Weights, options.WeightBytesPerSecond, refusals);
        endpoint = new NodeEndpoint(options, credentials, refusals, [routes, new RunRoutes(runs, options), .. more ?? []]);
    }

    public NodeWeights Weights { get; }

    /// <summary>The address of the HTTP endpoint; null: there is none.</summary>
    public Uri? Address => endpoint?.Address;

    /// <summary>Bytes of weights sent to other nodes so far.</summary>
    public long WeightBytesSent => routes?.BytesSent ?? 0;

    /// <summary>Before the actor system is added: the endpoint is there when the first engine publishes, and still there when the last one ends.</summary>
    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton(_ => this); // by a factory, so that the host disposes it
        if (endpoint is not null) services.AddHostedService(provider => provider.GetRequiredService<NodeNetwork>().endpoint!);
    }

    /// <summary>Remoting with TLS on both sides where there is a certificate, and the refusals in the system's log.</summary>
    public AkkaConfigurationBuilder Configure(AkkaConfigurationBuilder builder)
    {
        if (credentials.Certificate is { } certificate)
        {
            builder
                .AddHocon("akka.remote.dot-netty.tcp.enable-ssl = on", HoconAddMode.Prepend)
                .AddSetup(new DotNettySslSetup(
                    certificate, suppressValidation: false, requireMutualAuthentication: true, (peer, chain, name, _, log) =>
                    {
                        if (credentials.Trusts(peer, chain)) return true;
                        log.Warning("remoting refuses {0}: {1}", name, peer is null ? "it has no certificate" : $"none of node.tls.ca signed its certificate {peer.Subject}");
                        return false;
                    }));
        }
        return builder.AddStartup((system, _) => refusals.WriteTo(system.Log));
    }

    public void Dispose()
    {
        channel?.Dispose();
        routes?.Dispose();
        credentials.Dispose();
    }
}
