using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Runs;

/// <summary>A step's wall-clock figures by their public names.</summary>
internal static class StepMetrics
{
    public static IEnumerable<KeyValuePair<string, double>> Of(StepApplied applied, StepTimings? timings)
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
