using System.Runtime.Intrinsics;
using Rlp.Models;
using Rlp.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// The 2-norm of a flat gradient. On a CPU squares are summed in float64, in pieces of fixed length that are added in order: the same bits
/// whoever sums the pieces.
/// </summary>
internal static class GradientNorm
{
    private const long Piece = 1 << 16;

    /// <param name="gradient">[n] float32; n is a multiple of <see cref="ArenaLayout.Alignment"/>.</param>
    public static double Of(Tensor gradient)
    {
        if (gradient.device_type != DeviceType.CPU) return gradient.norm().item<float>();
        var sums = new double[(gradient.numel() + Piece - 1) / Piece];
        Sum(gradient, sums);
        return Math.Sqrt(sums.Sum());
    }

    private static unsafe void Sum(Tensor gradient, double[] sums)
    {
        var values = CpuKernels.Pointer(gradient);
        var length = gradient.numel();
        NativeThreads.For(sums.Length, 1, (begin, end) =>
        {
            for (var piece = begin; piece < end; piece++) sums[piece] = SquaresOf(values, piece * Piece, Math.Min(length, (piece + 1) * Piece));
        });
    }

    private static unsafe double SquaresOf(float* values, long begin, long end)
    {
        // Four sums, so that no addition waits for the one before.
        Vector256<double> a = default, b = default, c = default, d = default;
        for (var i = begin; i < end; i += 2 * Vector256<float>.Count)
        {
            var (x, y) = Vector256.Widen(Vector256.Load(values + i));
            var (z, w) = Vector256.Widen(Vector256.Load(values + i + Vector256<float>.Count));
            a += x * x;
            b += y * y;
            c += z * z;
            d += w * w;
        }
        return Vector256.Sum(a + b + (c + d));
    }
}
