using Rlp.Models;
using Rlp.Objective;
using Rlp.Training.Engines;

namespace Rlp.Training;

/// <summary>Floating-point operations of one step, padding and recomputation not counted.</summary>
public static class StageFlops
{
    public static double Ntp(IDecoder model, IReadOnlyList<int[]> documents)
    {
        var (parameters, width, state) = model.Costs;
        return documents.Sum(d => Budgets.TrainingFlops(parameters, d.Length, width, state));
    }

    /// <summary>
    /// Rollout and training (each prefix once, then every thought token with the prefix's keys; training three times as much), and the teacher's pass.
    /// </summary>
    public static double Rlp(IDecoder model, IReadOnlyList<ScoredGroup> groups)
    {
        var (parameters, width, state) = model.Costs;
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
