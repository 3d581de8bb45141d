using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>What must not be computed in sixteen bits.</summary>
internal static class Precision
{
    /// <summary>The tensor itself where it has 32 bits or more.</summary>
    public static Tensor AtLeastFloat32(this Tensor x) => x.dtype is ScalarType.BFloat16 or ScalarType.Float16 ? x.to(float32) : x;
}
