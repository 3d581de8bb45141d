using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>The reward of RLP: how much a thought helps to predict the next token (eq. 5).</summary>
public static class InformationGain
{
    /// <summary>
    /// r = S_pred - S_ema in nats. S_ema belongs to the position, so it is the same for all G thoughts: it shifts the reported reward and
    /// cancels out of the advantage.
    /// </summary>
    /// <param name="predicted">S_pred, [B, G].</param>
    /// <param name="teacher">S_ema, [B].</param>
    /// <returns>[B, G].</returns>
    public static Tensor Rewards(Tensor predicted, Tensor teacher)
    {
        using var noGradient = no_grad();
        return predicted - teacher.unsqueeze(-1);
    }
}
