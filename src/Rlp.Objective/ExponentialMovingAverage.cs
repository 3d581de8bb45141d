using static TorchSharp.torch;

namespace Rlp.Objective;

/// <summary>The teacher phi follows the policy theta (PAPER.md section 2, step 10).</summary>
public static class ExponentialMovingAverage
{
    /// <summary>phi &lt;- tau phi + (1 - tau) theta, in place and in one pass. Both flat, of one length.</summary>
    public static void Update(Tensor teacher, Tensor policy, double tau)
    {
        using var noGradient = no_grad();
        using Tensor share = 1 - tau;
        teacher.lerp_(policy, share);
    }
}
