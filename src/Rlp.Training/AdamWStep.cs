using System.Runtime.Intrinsics;
using Rlp.Models;
using Rlp.Models.Kernels;
using Rlp.Objective;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// One update of AdamW over flat float32 tensors. On a CPU it is one pass that reads weights, moments and gradient and writes all but the
/// gradient, 28 bytes per weight where tensor operations take about 110; elsewhere tensor operations.
/// </summary>
/// <param name="GradientScale">What the gradient is multiplied by: below 1 where it is clipped.</param>
/// <param name="Kept">Share of a weight that decay leaves.</param>
/// <param name="Rate">Learning rate over the bias correction of the first moment.</param>
/// <param name="SecondCorrection">Square root of the bias correction of the second moment.</param>
internal readonly record struct AdamWStep(
    double GradientScale, double Beta1, double Beta2, double Kept, double Rate, double SecondCorrection, double Epsilon)
{
    private const long ThreadGrain = 1 << 12; // aligned pieces
    private const long AtOnce = 1 << 24; // elements whose denominators are in memory at once

    /// <param name="weights">[n], as the others; n is a multiple of <see cref="ArenaLayout.Alignment"/>.</param>
    public void Apply(Tensor weights, Tensor first, Tensor second, Tensor gradient)
    {
        if (weights.device_type == DeviceType.CPU) ApplyFused(weights, first, second, gradient);
        else ApplyByOperations(weights, first, second, gradient);
    }

    internal unsafe void ApplyFused(Tensor weights, Tensor first, Tensor second, Tensor gradient)
    {
        var step = this;
        float* w = CpuKernels.Pointer(weights), m = CpuKernels.Pointer(first), v = CpuKernels.Pointer(second), g = CpuKernels.Pointer(gradient);
        NativeThreads.For(weights.numel() / ArenaLayout.Alignment, ThreadGrain, (begin, end) =>
            step.Fused(w, m, v, g, begin * ArenaLayout.Alignment, end * ArenaLayout.Alignment));
    }

    internal void ApplyByOperations(Tensor weights, Tensor first, Tensor second, Tensor gradient)
    {
        for (long i = 0; i < weights.numel(); i += AtOnce)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(AtOnce, weights.numel() - i);
            var g = gradient.narrow(0, i, count);
            var m = first.narrow(0, i, count);
            var v = second.narrow(0, i, count);
            m.TimesInPlace(Beta1).PlusInPlace(g, (1 - Beta1) * GradientScale);
            v.TimesInPlace(Beta2).PlusProductInPlace(g, g, (1 - Beta2) * GradientScale * GradientScale);
            var w = weights.narrow(0, i, count);
            if (Kept != 1) w.TimesInPlace(Kept);
            var denominator = v.sqrt().PlusInPlace(Epsilon * SecondCorrection); // both sides of the fraction times the correction
            w.PlusQuotientInPlace(m, denominator, -Rate * SecondCorrection);
        }
    }

    private unsafe void Fused(float* weights, float* first, float* second, float* gradient, long begin, long end)
    {
        var firstKept = Vector256.Create((float)Beta1);
        var firstNew = Vector256.Create((float)((1 - Beta1) * GradientScale));
        var secondKept = Vector256.Create((float)Beta2);
        var secondNew = Vector256.Create((float)((1 - Beta2) * GradientScale * GradientScale));
        var correction = Vector256.Create((float)(1 / SecondCorrection));
        var epsilon = Vector256.Create((float)Epsilon);
        var kept = Vector256.Create((float)Kept);
        var rate = Vector256.Create((float)Rate);
        for (var i = begin; i < end; i += Vector256<float>.Count)
        {
            var g = Vector256.Load(gradient + i);
            var m = (Vector256.Load(first + i) * firstKept) + (g * firstNew);
            var v = (Vector256.Load(second + i) * secondKept) + (g * g * secondNew);
            m.Store(first + i);
            v.Store(second + i);
            ((Vector256.Load(weights + i) * kept) - (m / ((Vector256.Sqrt(v) * correction) + epsilon) * rate)).Store(weights + i);
        }
    }
}
