using Rlp.Training.Engines;
using Rlp.Training.Metrics;

namespace Rlp.Evaluation.Tests;

/// <summary>A made-up run that has the shape of a real one.</summary>
internal static class SampleRun
{
    public static RunReport Report { get; } = new("arithmetic-7", "arithmetic", 7,
    [
        Stage("base", .581, .012, .104, .011, 1.31, 4.9, 3.07e6, 6.4e12, 31.2),
        Stage("cpt", .162, .010, .152, .012, -.21, 4.1, 115_200, 2.4e11, 3.1),
        Stage("cpt_thoughts", .574, .013, .101, .010, 1.28, 5.0, 192_400, 4.1e11, 4.4),
        Stage("rlp", .983, .003, .108, .011, 2.71, 5.0, 115_200, 1.23e13, 25.9),
    ]);

    public static IReadOnlyList<MetricPoint> Series { get; } = MakeSeries();

    public static IReadOnlyDictionary<string, IReadOnlyList<EvaluationSample>> Samples { get; } =
        new Dictionary<string, IReadOnlyList<EvaluationSample>>
        {
            ["base"] = [new("7+5-3+2-9=", "2 9 1 3", "2", "3", -3.12, -2.31), new("1+1+1+1+1=", "2 3 4 5", "5", "5", -.02, -2.28)],
            ["rlp"] = [new("7+5-3+2-9=", "2 9 1 2", "2", "2", -.004, -2.31), new("1+1+1+1+1=", "2 3 4 5", "5", "5", -.001, -2.28)],
        };

    public static ReportInput Input { get; } = new(Report, Series, Samples, "recipe {\n  name = arithmetic\n  seed = 7\n}\n");

    private static StageReport Stage(
        string id, double think, double thinkError, double nothink, double nothinkError,
        double gain, double length, double tokens, double flops, double seconds) => new()
        {
            Id = id,
            ThinkAccuracy = think,
            ThinkAccuracyStandardError = thinkError,
            NothinkAccuracy = nothink,
            NothinkAccuracyStandardError = nothinkError,
            InfoGain = gain,
            ThoughtLength = length,
            InputTokens = tokens,
            Flops = flops,
            Seconds = seconds,
        };

    private static List<MetricPoint> MakeSeries()
    {
        var random = new Random(1);
        double Noise() => random.NextDouble() - random.NextDouble();
        var points = new List<MetricPoint>();
        for (var step = 1; step <= 2000; step++)
            points.Add(new("pretrain", step, MetricNames.Loss, 1.15 + 1.4 * Math.Exp(-step / 150.0) + .05 * Noise()));
        for (var step = 1; step <= 300; step++)
        {
            points.Add(new("cpt", step, MetricNames.Loss, 1.4 - .15 * (1 - Math.Exp(-step / 60.0)) + .06 * Noise()));
            points.Add(new("cpt_thoughts", step, MetricNames.Loss, 1.15 + .05 * Noise()));
            points.Add(new("rlp", step, MetricNames.Loss, -.01 + .01 * Noise()));
            points.Add(new("rlp", step, MetricNames.InfoGain, 1.3 + 1.4 * (1 - Math.Exp(-step / 80.0)) + .25 * Noise()));
            points.Add(new("rlp", step, MetricNames.MeanLength, 5 + .08 * Noise()));
            if (step % 25 != 0) continue;
            points.Add(new("rlp", step, MetricNames.EvalThinkAccuracy, .58 + .4 * (1 - Math.Exp(-step / 80.0)) + .01 * Noise()));
            points.Add(new("rlp", step, MetricNames.EvalNothinkAccuracy, .105 + .01 * Noise()));
        }
        return points;
    }
}
