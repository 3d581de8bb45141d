using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>A linear map whose result is added to the residual in the same pass over it.</summary>
internal static class Projection
{
    /// <summary>residual + x W^T + bias: x [M, in], W [out, in], residual [M, out].</summary>
    public static Tensor ProjectOnto(this Tensor x, Tensor residual, Tensor weight, Tensor? bias)
    {
        if (residual.dtype != x.dtype) return residual + nn.functional.linear(x, weight, bias);
        var sum = addmm(residual, x, weight.t(), 1, 1);
        return bias is null ? sum : sum + bias;
    }
}
