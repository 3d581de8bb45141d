using System.Text;

namespace Rlp.Training.Metrics;

/// <summary>The one line that a step prints, in the field's idiom.</summary>
public static class StepLine
{
    private static readonly (string Name, string Metric)[] Phases =
    [
        ("data", MetricNames.DataSeconds), ("rollout", MetricNames.RolloutSeconds), ("reward", MetricNames.RewardSeconds),
        ("learn", MetricNames.LearnSeconds), ("ema", MetricNames.EmaSeconds), ("journal", MetricNames.JournalSeconds),
    ];

    /// <summary>
    /// For example <c>rlp 120/300 | info_gain 2.31 | loss -0.0123 | grad_norm 0.41 | thought 5.0 tok | clip 0.000 | 12.3k tok/s | data 1
    /// ms rollout 38 ms reward 3 ms learn 31 ms | 0:21 left</c>. Only what the metrics hold is printed, so the line of an NTP step is the
    /// shorter one; an evaluation adds its accuracies.
    /// </summary>
    /// <param name="stage">Id of the stage.</param>
    /// <param name="step">Steps applied so far in the stage, this one included.</param>
    /// <param name="steps">Steps of the whole stage.</param>
    /// <param name="metrics">Values by <see cref="MetricNames"/>.</param>
    /// <param name="left">Estimated time to the end; null where there is no estimate yet.</param>
    public static string Format(string stage, long step, long steps, IReadOnlyDictionary<string, double> metrics, TimeSpan? left)
    {
        var line = new StringBuilder(FormattableString.Invariant($"{stage} {step}/{steps}"));
        Add(MetricNames.InfoGain, v => $"info_gain {HumanNumber.Fixed(v, 2)}");
        Add(MetricNames.Loss, v => $"loss {HumanNumber.Fixed(v, 4)}");
        Add(MetricNames.GradNorm, v => $"grad_norm {HumanNumber.Fixed(v, 2)}");
        Add(MetricNames.MeanLength, v => $"thought {HumanNumber.Fixed(v, 1)} tok");
        Add(MetricNames.ClipRatioRegion, v => $"clip {HumanNumber.Fixed(v, 3)}");
        Add(MetricNames.EvalThinkAccuracy, v => $"think {HumanNumber.Fixed(v, 3)}");
        Add(MetricNames.EvalNothinkAccuracy, v => $"no-think {HumanNumber.Fixed(v, 3)}");
        Add(MetricNames.TokensPerSecond, v => $"{HumanNumber.Compact(v)} tok/s");
        // The teacher's update and the journal are noise in most steps; they are shown when they take a millisecond.
        var phases = Phases
            .Where(p => metrics.TryGetValue(p.Metric, out var seconds)
                && (seconds >= 0.0005 || p.Metric is not (MetricNames.EmaSeconds or MetricNames.JournalSeconds)))
            .Select(p => $"{p.Name} {Duration(metrics[p.Metric])}");
        var timings = string.Join(' ', phases);
        if (timings.Length > 0) line.Append(" | ").Append(timings);
        if (left is { } time) line.Append(" | ").Append(HumanNumber.Clock(time)).Append(" left");
        return line.ToString();

        void Add(string name, Func<double, string> format)
        {
            if (metrics.TryGetValue(name, out var value)) line.Append(" | ").Append(format(value));
        }
    }

    private static string Duration(double seconds) =>
        seconds < 10 ? $"{HumanNumber.Fixed(seconds * 1000, 0)} ms" : $"{HumanNumber.Fixed(seconds, 1)} s";
}
