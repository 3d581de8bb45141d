using Rlp.Training.Engines;

namespace Rlp.Training;

/// <summary>The logged values of an RLP step that follow from its thoughts and rewards; names as in TRL where TRL has one.</summary>
internal static class RlpMetrics
{
    public static Dictionary<string, double> Of(IReadOnlyList<ScoredGroup> groups, double loss, double gradNorm, double learningRate)
    {
        SampledThought[] thoughts = [.. groups.SelectMany(g => g.Sampled.Thoughts)];
        double[][] rewards = [.. groups.Select(g => g.Rewards())];
        double[] all = [.. rewards.SelectMany(r => r)];
        return new Dictionary<string, double>
        {
            ["reward"] = all.Average(),
            ["reward_std"] = StandardDeviation(all),
            ["rlp/info_gain"] = all.Average(),
            ["rlp/evidence_policy"] = thoughts.Average(t => t.PredictedEvidence),
            ["rlp/evidence_teacher"] = groups.Average(g => g.TeacherEvidence),
            ["rlp/group_reward_std"] = rewards.Average(StandardDeviation),
            ["completions/mean_length"] = thoughts.Average(t => t.Tokens.Length),
            ["completions/min_length"] = thoughts.Min(t => t.Tokens.Length),
            ["completions/max_length"] = thoughts.Max(t => t.Tokens.Length),
            ["completions/clipped_ratio"] = thoughts.Average(t => t.Clipped ? 1.0 : 0.0),
            ["loss"] = loss,
            ["grad_norm"] = gradNorm,
            ["learning_rate"] = learningRate,
        };
    }

    private static double StandardDeviation(double[] values)
    {
        var mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
    }
}
