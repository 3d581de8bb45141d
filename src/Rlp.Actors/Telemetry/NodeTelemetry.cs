using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Rlp.Actors.Telemetry;

/// <summary>
/// What a node measures of itself, by <see cref="System.Diagnostics.Metrics"/> and <see cref="ActivitySource"/> under one name. Nothing is measured
/// that nobody listens to. src/README.md lists the metrics with their healthy ranges.
/// </summary>
public static class NodeTelemetry
{
    /// <summary>The name of the meter and of the source of traces.</summary>
    public const string Name = "Rlp";

    internal static ActivitySource Source { get; } = new(Name);

    internal static Meter Meter { get; } = new(Name);

    /// <summary>Seconds of one call of a worker's engine; tags role, call, outcome (done, failed, lost).</summary>
    internal static Histogram<double> CallSeconds { get; } = Meter.CreateHistogram<double>(
        "rlp.worker.call.duration", "s", "Time of one call of a worker's engine", advice: Buckets(0.001, 0.01, 0.1, 1, 10, 100, 600));

    /// <summary>1 while a worker's engine is at work; tag role. Its mean over time is the worker's load.</summary>
    internal static UpDownCounter<int> Busy { get; } = Meter.CreateUpDownCounter<int>("rlp.worker.busy", description: "Engines at work");

    /// <summary>Seconds from handing events to the journal until they are durable.</summary>
    internal static Histogram<double> JournalSeconds { get; } = Meter.CreateHistogram<double>(
        "rlp.journal.write.duration", "s", "Time until events are durable", advice: Buckets(0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30));

    /// <summary>Times that a run ended its entity because the database could not be written or read.</summary>
    internal static Counter<long> JournalFailures { get; } = Meter.CreateCounter<long>("rlp.journal.failures", description: "Failed writes and recoveries");

    /// <summary>Work that a watchdog has named as slow, or that was issued again; tags run, what (slow, retry).</summary>
    internal static Counter<long> Troubles { get; } = Meter.CreateCounter<long>("rlp.run.troubles", description: "Work that is slow or was issued again");

    /// <summary>Requests that the node's HTTP endpoint refused.</summary>
    internal static Counter<long> Refusals { get; } = Meter.CreateCounter<long>("rlp.endpoint.refusals", description: "Requests refused");

    /// <summary>Bytes of weights sent to other nodes.</summary>
    internal static Counter<long> WeightBytes { get; } = Meter.CreateCounter<long>("rlp.weights.sent", "By", "Bytes of weights sent to other nodes");

    private static InstrumentAdvice<double> Buckets(params double[] bounds) => new() { HistogramBucketBoundaries = bounds };
}
