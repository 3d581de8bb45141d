using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>
/// The optional penalty KL(pi_theta || pi_ref) to a fixed reference (an ablation of the paper; beta = 0 is best), estimated on the sampled
/// tokens by k3 = exp(d) - d - 1 with d = log pi_ref - log pi_theta: never negative, and unbiased for tokens sampled from pi_theta.
/// </summary>
public static class KlPenalty
{
    /// <param name="logProbabilities">log pi_theta of each token, [M]; carries gradient.</param>
    /// <param name="reference">log pi_ref of each token under the same temperature and masks, [M].</param>
    /// <param name="weights"><see cref="ThoughtWeights.PerThought"/>, [M].</param>
    /// <returns>The scalar estimate in nats per token.</returns>
    public static Tensor Estimate(Tensor logProbabilities, Tensor reference, Tensor weights)
    {
        using var scope = NewDisposeScope();
        var difference = reference.detach() - logProbabilities;
        return ((difference.exp() - difference).Minus(1) * weights).sum().MoveToOuterDisposeScope();
    }
}
