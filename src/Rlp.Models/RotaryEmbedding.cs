using Rlp.Models.Kernels;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Rotary position embedding in the half-rotating (NeoX) form of Qwen3 and Llama: pairs are (i, i + headDim / 2).</summary>
internal sealed class RotaryEmbedding(int headDim, double theta, RopeScaling? scaling, ScalarType dtype, Device device) : IDisposable
{
    private readonly ScalarType dtype = dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
    private Tensor cosine = zeros(0, headDim, device: device).DetachFromDisposeScope();
    private Tensor sine = zeros(0, headDim, device: device).DetachFromDisposeScope();

    /// <summary>Cosines and signed sines at positions, [M, 1, headDim] each.</summary>
    /// <param name="positions">[M] int64.</param>
    /// <param name="last">The greatest of them.</param>
    public (Tensor Cosine, Tensor Sine) At(Tensor positions, int last, ScalarType type)
    {
        Reserve(last + 1);
        return (cosine.index_select(0, positions).unsqueeze(1).to(type), sine.index_select(0, positions).unsqueeze(1).to(type));
    }

    /// <summary>Rotates [M, heads, headDim] by what <see cref="At"/> gave.</summary>
    public static Tensor Apply(Tensor x, Tensor cosine, Tensor sine)
    {
        var half = x.shape[^1] / 2;
        var rotated = cat([x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1); // the sign of the first half is in the sine table
        return (x * cosine).PlusProduct(rotated, sine);
    }

    /// <summary>Cosines and signed sines, [positions, headDim] each, up to the given position. Valid until a later one is asked for.</summary>
    public unsafe FloatPointers Tables(int last)
    {
        Reserve(last + 1);
        return new FloatPointers(CpuKernels.Pointer(cosine), CpuKernels.Pointer(sine));
    }

    /// <summary>Radians per position of each pair, [headDim / 2] float64: theta^(-2i/D), scaled.</summary>
    internal static Tensor Frequencies(int headDim, double theta, RopeScaling? scaling, Device device)
    {
        using Tensor radix = theta;
        var frequencies = pow(radix, Tensor.Range(headDim / 2, float64, device).Times(-2.0 / headDim));
        return scaling is null ? frequencies : scaling.Apply(frequencies);
    }

    private void Reserve(int positions)
    {
        if (cosine.shape[0] >= positions) return;
        using var noGradient = no_grad();
        using var ordinary = inference_mode(false); // the tables outlive a sampling call and take part in training
        using var scope = NewDisposeScope();
        var length = Math.Max(64, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)positions));
        var angles = outer(Tensor.Range(length, float64, device), Frequencies(headDim, theta, scaling, device)); // [T, D/2]
        cosine.Dispose();
        sine.Dispose();
        cosine = cat([angles.cos(), angles.cos()], -1).to(dtype).DetachFromDisposeScope();
        sine = cat([angles.sin().neg(), angles.sin()], -1).to(dtype).DetachFromDisposeScope();
    }

    public void Dispose()
    {
        cosine.Dispose();
        sine.Dispose();
    }
}
