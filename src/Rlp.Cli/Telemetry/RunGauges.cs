using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Rlp.Actors.Telemetry;
using Rlp.Cli.Runs;
using Rlp.Protocol.Replies;

namespace Rlp.Cli.Telemetry;

/// <summary>
/// The last applied step's metrics of each run at work here, as gauges: `rlp/info_gain` is `rlp.info_gain`, `completions/mean_length` is
/// `rlp.completions.mean_length`, with the tags run and stage. A run that has ended or moved is shown no more.
/// </summary>
internal static class RunGauges
{
    /// <summary>A run that says nothing for so long has its entity elsewhere, or ended with it.</summary>
    private static readonly TimeSpan ShownFor = TimeSpan.FromHours(1);

    private sealed record Shown(string Stage, long Step, IReadOnlyDictionary<string, double> Values, long At);

    private static readonly Meter Meter = new(NodeTelemetry.Name);
    private static readonly ConcurrentDictionary<string, Shown> Runs = new();
    private static readonly ConcurrentDictionary<string, ObservableGauge<double>> Gauges = new();

    static RunGauges()
    {
        Meter.CreateObservableGauge("rlp.run.step", () => Each((_, shown) => shown.Step), description: "Last applied step of the stage");
        Meter.CreateObservableGauge(
            "rlp.run.step.age", () => Each((_, shown) => Stopwatch.GetElapsedTime(shown.At).TotalSeconds), "s", "Time since a step was applied");
    }

    public static void Record(IRunProgress progress)
    {
        switch (progress)
        {
            case StepProgress step:
                var values = StepMetrics.AllOf(step.Applied, step.Timings, step.Recovery);
                Runs[step.RunId] = new Shown(step.Applied.Stage, step.Applied.Step, values, Stopwatch.GetTimestamp());
                foreach (var name in values.Keys) Gauges.GetOrAdd(name, Gauge);
                break;
            case RunEnded ended:
                Runs.TryRemove(ended.RunId, out _);
                break;
        }
    }

    /// <summary>The instrument's name of a metric.</summary>
    public static string NameOf(string metric) => "rlp." + (metric.StartsWith("rlp/", StringComparison.Ordinal) ? metric[4..] : metric).Replace('/', '.');

    private static ObservableGauge<double> Gauge(string metric) => Meter.CreateObservableGauge(
        NameOf(metric), () => Each((_, shown) => shown.Values.TryGetValue(metric, out var value) ? value : null), description: $"The metric {metric} of the last applied step");

    private static IEnumerable<Measurement<double>> Each(Func<string, Shown, double?> value)
    {
        foreach (var (run, shown) in Runs)
        {
            if (Stopwatch.GetElapsedTime(shown.At) > ShownFor) Runs.TryRemove(new(run, shown));
            else if (value(run, shown) is { } found) yield return new(found, new("run", run), new("stage", shown.Stage));
        }
    }
}
