using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>y = silu(gate) * up on one row of n elements, and its gradient.</summary>
internal static unsafe class SwiGluKernel
{
    public static void Forward(float* gate, float* up, float* y, int n)
    {
        var i = 0;
        for (; i <= n - Floats.Width; i += Floats.Width)
        {
            var x = Floats.Load(gate + i);
            (x * Floats.Sigmoid(x) * Floats.Load(up + i)).Store(y + i);
        }
        for (; i < n; i++) y[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
    }

    public static void Backward(float* gate, float* up, float* g, float* dGate, float* dUp, int n)
    {
        var one = Vector512<float>.One;
        var i = 0;
        for (; i <= n - Floats.Width; i += Floats.Width)
        {
            Vector512<float> x = Floats.Load(gate + i), gradient = Floats.Load(g + i), s = Floats.Sigmoid(x);
            (gradient * x * s).Store(dUp + i);
            (gradient * Floats.Load(up + i) * s * (one + (x * (one - s)))).Store(dGate + i);
        }
        for (; i < n; i++)
        {
            float x = gate[i], s = 1 / (1 + MathF.Exp(-x));
            dUp[i] = g[i] * x * s;
            dGate[i] = g[i] * up[i] * s * (1 + (x * (1 - s)));
        }
    }
}
