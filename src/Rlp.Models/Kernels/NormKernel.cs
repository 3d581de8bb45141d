using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>y = x / sqrt(mean x^2 + eps) * w on one row of n elements, and its gradient.</summary>
internal static unsafe class NormKernel
{
    /// <summary>1 / sqrt(mean x^2 + eps).</summary>
    public static float InverseRoot(float* x, int n, float eps) => 1f / MathF.Sqrt((Floats.Dot(x, x, n) / n) + eps);

    public static void Forward(float* x, float* w, float* y, int n, float eps)
    {
        var inverse = InverseRoot(x, n, eps);
        var factor = Vector512.Create(inverse);
        var i = 0;
        for (; i <= n - Floats.Width; i += Floats.Width) (Floats.Load(x + i) * factor * Floats.Load(w + i)).Store(y + i);
        for (; i < n; i++) y[i] = x[i] * inverse * w[i];
    }

    /// <summary>
    /// dx = r (g w - x r^2 mean(g w x)) and dw += g x r with r = <see cref="InverseRoot"/>. <paramref name="dx"/> may be <paramref name="g"/>.
    /// </summary>
    public static void Backward(float* x, float* w, float* g, float* dx, float* dw, int n, float eps)
    {
        var inverse = InverseRoot(x, n, eps);
        var sum = Vector512<float>.Zero;
        var i = 0;
        for (; i <= n - Floats.Width; i += Floats.Width)
            sum = Vector512.FusedMultiplyAdd(Floats.Load(g + i) * Floats.Load(w + i), Floats.Load(x + i), sum);
        var total = Vector512.Sum(sum);
        for (; i < n; i++) total += g[i] * w[i] * x[i];
        var back = inverse * inverse * inverse * total / n;

        Vector512<float> factor = Vector512.Create(inverse), subtract = Vector512.Create(-back);
        for (i = 0; i <= n - Floats.Width; i += Floats.Width)
        {
            Vector512<float> gradient = Floats.Load(g + i), value = Floats.Load(x + i), scaled = gradient * factor;
            Vector512.FusedMultiplyAdd(scaled, value, Floats.Load(dw + i)).Store(dw + i);
            Vector512.FusedMultiplyAdd(value, subtract, scaled * Floats.Load(w + i)).Store(dx + i);
        }
        for (; i < n; i++)
        {
            float gradient = g[i], value = x[i];
            dw[i] += gradient * inverse * value;
            dx[i] = (gradient * inverse * w[i]) - (value * back);
        }
    }
}
