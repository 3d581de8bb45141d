using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Cli.Telemetry;

namespace Rlp.Cli.Commands;

/// <summary>The host of a command's node. The command decides when the node ends, not a signal.</summary>
internal static class NodeHost
{
    /// <param name="monitoring">What the node tells of itself, where it is to.</param>
    public static IHost Build(NodeOptions options, NodeMonitoring? monitoring = null)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, ForegroundLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(1));
        monitoring?.AddTo(builder.Services, options.Name);
        builder.Services.AddRlpNode(options, monitoring is null ? [] : [monitoring]);
        var host = builder.Build();
        monitoring?.Use(host.Services);
        return host;
    }

    private sealed class ForegroundLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
