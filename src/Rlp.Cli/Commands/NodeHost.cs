using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Cli.Consoles;
using Rlp.Cli.Telemetry;
using Rlp.Consoles;
using Rlp.Protocol.Payloads;

namespace Rlp.Cli.Commands;

/// <summary>The host of a command's node. The command decides when the node ends, not a signal.</summary>
internal static class NodeHost
{
    /// <param name="monitoring">What the node tells of itself, where it is to.</param>
    /// <param name="console">Null: the node's endpoint, if it has one, answers no console.</param>
    /// <param name="pbm">Gives what the console answers to pbm as well.</param>
    public static IHost Build(
        NodeOptions options,
        NodeMonitoring? monitoring = null,
        NodeRunsCommand? console = null,
        Action<AkkaConfigurationBuilder, Func<IClusterView>>? pbm = null)
    {
        IHost? host = null;
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, ForegroundLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(1));
        monitoring?.AddTo(builder.Services, options.Name);
        Func<IClusterView>? cluster = console is null ? null : () => View(host, options, console);
        INodeRoutes[] routes =
        [
            .. monitoring is null ? (INodeRoutes[])[] : [monitoring],
            .. cluster is null ? (INodeRoutes[])[] : [new ConsoleRoutes(cluster)],
        ];
        builder.Services.AddRlpNode(options, routes, akka =>
        {
            if (cluster is not null) pbm?.Invoke(akka, cluster);
        });
        host = builder.Build();
        monitoring?.Use(host.Services);
        return host;
    }

    private static ClusterView View(IHost? host, NodeOptions options, NodeRunsCommand console) =>
        host is not null && host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.IsCancellationRequested
            ? new ClusterView(host.Services.GetRequiredService<RunClient>(), options, console)
            : throw new RunRefusedException(FailureKind.Infrastructure, "the node is starting; try again");

    private sealed class ForegroundLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
