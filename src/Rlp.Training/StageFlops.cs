using Rlp.Models;
using Rlp.Objective;
using Rlp.Training.Engines;

namespace Rlp.Training;

/// <summary>Floating-point operations of one step, padding and recomputation not counted.</summary>
public static class StageFlops
{
    public static double Ntp(IDecoder model, IReadOnlyList<int[]> documents) => Ntp(model.Costs, documents);

    public static double Ntp(DecoderCosts costs, IReadOnlyList<int[]> documents)
    {
        var (parameters, width, state) = costs;
        return documents.Sum(d => Budgets.TrainingFlops(parameters, d.Length, width, state));
    }

    public static double Rlp(IDecoder model, IReadOnlyList<ScoredGroup> groups) => Rlp(model.Costs, groups);

    /// <summary>
    /// Rollout and training (each prefix once, then every thought token with the prefix's keys; training three times as much), and the teacher's pass.
    /// </summary>
    public static double Rlp(DecoderCosts costs, IReadOnlyList<ScoredGroup> groups)
    {
        var (parameters, width, state) = costs;
        double flops = 0;
        foreach (var group in groups)
        {
            var prefix = group.Sampled.Position.Prefix.Length;
            flops += (4 * Budgets.ForwardFlops(parameters, prefix + 1, 0, width, state)) + Budgets.ForwardFlops(parameters, prefix, 0, width, state);
            foreach (var thought in group.Sampled.Thoughts)
                flops += 4 * Budgets.ForwardFlops(parameters, thought.Tokens.Length, prefix + 1, width, state);
        }
        return flops;
    }
}
