using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Rlp.Actors.Telemetry;

namespace Rlp.Benchmarks;

/// <summary>Catches what a node calls of its instruments and its source of traces, so that the same can be called again.</summary>
internal sealed class TelemetryCalls : IDisposable
{
    private readonly ConcurrentQueue<Action> calls = new();
    private readonly MeterListener meters = new();
    private readonly ActivityListener activities;
    private int spans;
    private int measurements;

    public TelemetryCalls()
    {
        activities = new ActivityListener
        {
            ShouldListenTo = source => source.Name == NodeTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = Catch,
        };
        ActivitySource.AddActivityListener(activities);
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == NodeTelemetry.Name && !instrument.IsObservable) listener.EnableMeasurementEvents(instrument);
        };
        meters.SetMeasurementEventCallback<double>(Catch);
        meters.SetMeasurementEventCallback<long>(Catch);
        meters.SetMeasurementEventCallback<int>(Catch);
        meters.Start();
    }

    public int Spans => spans;

    public int Measurements => measurements;

    /// <summary>All of them in their order, in equal parts.</summary>
    public IReadOnlyList<IReadOnlyList<Action>> InParts(int parts) => [.. calls.Chunk((calls.Count + parts - 1) / parts)];

    private void Catch(Activity ended)
    {
        Interlocked.Increment(ref spans);
        var (tags, parent) = (ended.TagObjects.ToArray(), ended.ParentSpanId == default ? null : ended.ParentId);
        calls.Enqueue(() =>
        {
            ActivityContext.TryParse(parent, null, isRemote: true, out var context);
            using var again = ended.Source.StartActivity(ended.Kind, context, tags, startTime: ended.StartTimeUtc, name: ended.OperationName);
        });
    }

    private void Catch<T>(Instrument instrument, T value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state) where T : struct
    {
        Interlocked.Increment(ref measurements);
        var kept = tags.ToArray();
        calls.Enqueue(instrument switch
        {
            Histogram<T> histogram => () => histogram.Record(value, kept),
            Counter<T> counter => () => counter.Add(value, kept),
            UpDownCounter<T> counter => () => counter.Add(value, kept),
            _ => throw new InvalidOperationException($"instrument {instrument.Name} is a {instrument.GetType().Name}; expected a histogram or a counter"),
        });
    }

    public void Dispose()
    {
        activities.Dispose();
        meters.Dispose();
    }
}
