using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Runs;

/// <summary>A step's figures by their public names.</summary>
internal static class StepMetrics
{
    /// <summary>All figures of a step: those that the journal holds, the wall-clock ones and those of recovery.</summary>
    public static Dictionary<string, double> AllOf(StepApplied applied, StepTimings? timings, IEnumerable<KeyValuePair<string, double>> recovery)
    {
        var values = new Dictionary<string, double>(applied.Metrics);
        foreach (var (name, value) in WallClock(applied, timings).Concat(recovery)) values[name] = value;
        return values;
    }

    private static IEnumerable<KeyValuePair<string, double>> WallClock(StepApplied applied, StepTimings? timings)
    {
        if (timings is null) yield break;
        yield return new(MetricNames.DataSeconds, timings.Data);
        if (applied.RewardMean is not null)
        {
            yield return new(MetricNames.RolloutSeconds, timings.Rollout);
            yield return new(MetricNames.RewardSeconds, timings.Reward);
        }
        yield return new(MetricNames.LearnSeconds, timings.Learn);
        if (applied.RewardMean is not null) yield return new(MetricNames.EmaSeconds, timings.Ema);
        yield return new(MetricNames.JournalSeconds, timings.Journal);
        yield return new(MetricNames.StepSeconds, timings.Total);
        if (timings.Total > 0) yield return new(MetricNames.TokensPerSecond, applied.InputTokens / timings.Total);
    }
}
