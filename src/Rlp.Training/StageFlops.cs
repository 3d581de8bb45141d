using Rlp.Models;
using Rlp.Objective;
using Rlp.Training.Engines;

namespace Rlp.Training;

/// <summary>Floating-point operations of one step, padding and recomputation not counted.</summary>
public static class StageFlops
{
    public static double Ntp(Qwen3Decoder model, IReadOnlyList<int[]> documents) =>
        documents.Sum(d => Budgets.TrainingFlops(model.MatrixParameters, d.Length, model.Config.AttentionWidth));

    /// <summary>Rollout (each prefix once, then every thought token against its cache), the teacher's pass, and training on every thought.</summary>
    public static double Rlp(Qwen3Decoder model, IReadOnlyList<ScoredGroup> groups)
    {
        var (parameters, width) = (model.MatrixParameters, model.Config.AttentionWidth);
        double flops = 0;
        foreach (var group in groups)
        {
            var prefix = group.Sampled.Position.Prefix.Length;
            flops += Budgets.ForwardFlops(parameters, prefix + 1, 0, width) + Budgets.ForwardFlops(parameters, prefix, 0, width);
            foreach (var thought in group.Sampled.Thoughts)
                flops += Budgets.ForwardFlops(parameters, thought.Tokens.Length, prefix + 1, width)
                    + Budgets.TrainingFlops(parameters, prefix + 1 + thought.Tokens.Length, width);
        }
        return flops;
    }
}
