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

    /// <summary>Rollout (each prefix once, then every thought token against its state), the teacher's pass, and training on every thought.</summary>
    public static double Rlp(IDecoder model, IReadOnlyList<ScoredGroup> groups) => Rlp(model.Costs, groups);

    public static double Rlp(DecoderCosts costs, IReadOnlyList<ScoredGroup> groups)
    {
        var (parameters, width, state) = costs;
        double flops = 0;
        foreach (var group in groups)
        {
            var prefix = group.Sampled.Position.Prefix.Length;
            flops += Budgets.ForwardFlops(parameters, prefix + 1, 0, width, state) + Budgets.ForwardFlops(parameters, prefix, 0, width, state);
            foreach (var thought in group.Sampled.Thoughts)
                flops += Budgets.ForwardFlops(parameters, thought.Tokens.Length, prefix + 1, width, state)
                    + Budgets.TrainingFlops(parameters, prefix + 1 + thought.Tokens.Length, width, state);
        }
        return flops;
    }
}
