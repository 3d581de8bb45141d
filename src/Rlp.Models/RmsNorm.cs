using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>x / sqrt(mean x^2 + eps) * weight over the last dimension (Zhang and Sennrich 2019); the mean at least in float32.</summary>
internal static class RmsNorm
{
    public static Tensor Apply(Tensor x, Tensor weight, double eps)
    {
        var full = x.AtLeastFloat32();
        return (full * full.square().mean([-1], keepdim: true).add(eps).rsqrt()).to(x.dtype) * weight;
    }
}
