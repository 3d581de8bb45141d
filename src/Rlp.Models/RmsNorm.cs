using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>x / sqrt(mean x^2 + eps) * weight over the last dimension (Zhang and Sennrich 2019).</summary>
internal static class RmsNorm
{
    public static Tensor Apply(Tensor x, Tensor weight, double eps) =>
        x * x.square().mean([-1], keepdim: true).add(eps).rsqrt() * weight;
}
