using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Cli.Telemetry;
using Rlp.Protocol.Replies;

namespace Rlp.Benchmarks;

/// <summary>All telemetry of one node at a time as `rlp node` has it: all to the collector, and /metrics read every 5 s.</summary>
internal sealed class MonitoredNode(Uri collector)
{
    private static readonly TimeSpan ScrapeEvery = TimeSpan.FromSeconds(5);

    private readonly NodeMonitoring monitoring = new(new NodeSettings { OtlpEndpoint = collector });

    /// <summary>Milliseconds that each reading of /metrics took.</summary>
    public ConcurrentQueue<double> Scrapes { get; } = new();

    /// <summary>A scrape's share of the time, by what one takes.</summary>
    public static double ShareOf(double scrapeMilliseconds) => scrapeMilliseconds / ScrapeEvery.TotalMilliseconds;

    /// <returns>What the node's endpoint answers for it.</returns>
    public INodeRoutes[] AddTo(IServiceCollection services)
    {
        monitoring.AddTo(services, "bench");
        return [monitoring];
    }

    public void Use(IServiceProvider provider) => monitoring.Use(provider);

    public void Take(IRunProgress progress) => RunGauges.Record(progress);

    /// <summary>Reads /metrics now and again until it is disposed.</summary>
    public IDisposable Scrape(Uri node)
    {
        var http = new HttpClient { BaseAddress = node };
        return new Timer(_ =>
        {
            var started = Stopwatch.GetTimestamp();
            http.GetStringAsync("/metrics").GetAwaiter().GetResult();
            Scrapes.Enqueue(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }, null, ScrapeEvery / 2, ScrapeEvery);
    }

    /// <summary>Calls what a node has called, without the node, and sends it to the collector; milliseconds of all of it.</summary>
    /// <param name="each">The calls of each step.</param>
    public double Repeat(IReadOnlyList<IReadOnlyList<Action>> each)
    {
        const int stepsAtOnce = 20; // as many spans as are sent together
        var services = new ServiceCollection();
        AddTo(services);
        using var provider = services.BuildServiceProvider();
        var (meters, tracers) = (provider.GetRequiredService<MeterProvider>(), provider.GetRequiredService<TracerProvider>());
        var started = Stopwatch.GetTimestamp();
        foreach (var steps in each.Chunk(stepsAtOnce))
        {
            foreach (var call in steps.SelectMany(calls => calls)) call();
            if (!tracers.ForceFlush()) throw new InvalidOperationException("the collector does not take the spans");
        }
        meters.ForceFlush(); // false: what is only read at /metrics cannot be flushed
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }
}
