using System.Globalization;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;
using Rlp.Cli.Tests.Telemetry;
using Rlp.Training.Recipes;

namespace Rlp.Benchmarks;

/// <summary>What telemetry takes of a step: as the difference of steps with and without it, and as the time of its calls.</summary>
internal static class TelemetrySection
{
    public static SectionReport Measure(BenchmarkSettings settings) => MeasureAsync(settings).GetAwaiter().GetResult();

    private static async Task<SectionReport> MeasureAsync(BenchmarkSettings settings)
    {
        await using var collector = await OtlpCollector.StartAsync();
        var arithmetic = Path.Combine("hocon", "recipes", "arithmetic.hocon");
        var steps = settings.Quick ? 4 : 40;
        List<string> notes =
        [
            "with telemetry: every step traced, traces and metrics sent by OTLP to a collector in the same process, /metrics read every 5 s",
            "its calls: those of one run made again, one after the other, until the collector has all of them, and a step's share of a reading of /metrics",
        ];
        return new SectionReport("telemetry",
        [
            new FigureTable("A step of hocon/recipes/arithmetic.hocon's stage rlp",
                [.. Measure("32 groups of 8, one lane", ActorPath.Single(arithmetic, "rlp", steps), collector, settings, notes)]),
            new FigureTable("A tiny step: 8 groups of 4 thoughts of 8 tokens, 2 layers of width 32, four lanes",
                [.. Measure("8 groups of 4, four lanes", ActorPath.Single(arithmetic, "rlp", 10 * steps, ActorPath.Tiny), collector, settings, notes)]),
        ],
        notes);
    }

    private static IEnumerable<Figure> Measure(string what, Recipe recipe, OtlpCollector collector, BenchmarkSettings settings, List<string> notes)
    {
        var node = new MonitoredNode(collector.Address);
        var measured = InTurns.Measure($"telemetry, {what}", settings.Repeats,
            () => ActorPath.ActorsAsync(recipe, settings.Threads, node).GetAwaiter().GetResult(),
            () => ActorPath.ActorsAsync(recipe, settings.Threads).GetAwaiter().GetResult());
        yield return Figure.Of($"step with telemetry, {what}", "ms", measured[0], "without", measured[1]).WithRatio(Goal.AtMost, 1.01);

        var calls = new TelemetryCalls();
        using (calls)
            ActorPath.ActorsAsync(recipe, settings.Threads).GetAwaiter().GetResult();
        var steps = (int)recipe.Stages[0].Steps;
        var scrape = node.Scrapes.IsEmpty ? 0 : Median.Of([.. node.Scrapes]);
        node.Repeat(calls.InParts(steps)); // to warm up
        double[] taken = [.. Enumerable.Range(0, settings.Repeats).Select(
            i => node.Repeat(calls.InParts(steps)) / steps + MonitoredNode.ShareOf(scrape) * measured[1][i])];
        yield return Figure.Of($"its calls, {what}", "ms", taken, "the step", measured[1]).WithRatio(Goal.AtMost, 0.01);
        notes.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"{what}: {(double)calls.Spans / steps:F1} spans and {(double)calls.Measurements / steps:F1} measurements a step; "
                + $"a reading of /metrics takes {scrape:F1} ms ({node.Scrapes.Count} readings)"));
    }
}
