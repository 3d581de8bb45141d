using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>The policy loss on thought tokens (eq. 8) with an asymmetric clip range. Tokens of all thoughts lie flat in one dimension M.</summary>
public static class ClippedSurrogate
{
    /// <summary>sum_u w_u * -min(rho_u A, clip(rho_u, 1 - epsilonLow, 1 + epsilonHigh) A) with rho_u = exp(new - old).</summary>
    /// <param name="logProbabilities">log pi_theta of each token, [M]; the only input that carries gradient.</param>
    /// <param name="behaviour">log pi_theta_old of each token under the same temperature and masks, [M].</param>
    /// <param name="advantages">The advantage of each token's thought, [M].</param>
    /// <param name="weights"><see cref="ThoughtWeights.PerThought"/>, [M].</param>
    /// <returns>The scalar loss.</returns>
    public static Tensor Loss(Tensor logProbabilities, Tensor behaviour, Tensor advantages, Tensor weights, double epsilonLow, double epsilonHigh)
    {
        using var scope = NewDisposeScope();
        var advantage = advantages.detach();
        var ratio = (logProbabilities - behaviour.detach()).exp(); // rho, [M]
        var clipped = ratio.Clamped(1 - epsilonLow, 1 + epsilonHigh);
        var objective = minimum(ratio * advantage, clipped * advantage);
        return (objective * weights).sum().neg().MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Weighted shares of tokens whose gradient the clip cut off: at the lower bound (rho below 1 - epsilonLow, A below 0), at the upper bound
    /// (rho above 1 + epsilonHigh, A above 0).
    /// </summary>
    public static (double Low, double High) ClipRatios(
        Tensor logProbabilities, Tensor behaviour, Tensor advantages, Tensor weights, double epsilonLow, double epsilonHigh)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var ratio = (logProbabilities - behaviour).exp();
        var low = ratio.LessThan(1 - epsilonLow).logical_and(advantages.LessThan(0));
        var high = ratio.GreaterThan(1 + epsilonHigh).logical_and(advantages.GreaterThan(0));
        return ((low * weights).sum().item<float>(), (high * weights).sum().item<float>());
    }
}
