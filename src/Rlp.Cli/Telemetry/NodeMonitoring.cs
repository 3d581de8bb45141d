using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Rlp.Actors.Hosting;
using Rlp.Actors.Telemetry;
using Rlp.Cli.Configuration;

namespace Rlp.Cli.Telemetry;

/// <summary>OpenTelemetry of a node: GET /metrics for Prometheus, and metrics and traces to a collector where one is configured.</summary>
internal sealed class NodeMonitoring(NodeSettings settings) : INodeRoutes
{
    private MeterProvider? meters;

    public void AddTo(IServiceCollection services, string node)
    {
        var telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("rlp", serviceInstanceId: node));
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter(NodeTelemetry.Name).AddPrometheusExporter();
            if (settings.OtlpEndpoint is { } collector) metrics.AddOtlpExporter(otlp => otlp.Endpoint = collector);
        });
        if (settings.OtlpEndpoint is { } traces)
            telemetry.WithTracing(tracing => tracing
                .AddSource(NodeTelemetry.Name)
                .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(settings.TraceRatio)))
                .AddOtlpExporter(otlp => otlp.Endpoint = traces));
    }

    /// <summary>Before the host starts its endpoint.</summary>
    public void Use(IServiceProvider provider) => meters = provider.GetRequiredService<MeterProvider>();

    public void Map(IEndpointRouteBuilder routes) => routes.MapPrometheusScrapingEndpoint("/metrics", meters!, configureBranchedPipeline: null, optionsName: null);
}
