using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>
/// Rotates one head's vector of n elements by its position's row of the tables of <see cref="RotaryEmbedding"/>: pairs are (i, i + n / 2), and the
/// first half of the sine row carries the minus sign.
/// </summary>
internal static unsafe class RotaryKernel
{
    public static void Forward(float* x, float* cosine, float* sine, int n) => Rotate(x, cosine, sine, sine + (n / 2), n);

    /// <summary>The rotation by the opposite angle, which is the gradient's.</summary>
    public static void Backward(float* g, float* cosine, float* sine, int n) => Rotate(g, cosine, sine + (n / 2), sine, n);

    private static void Rotate(float* x, float* cosine, float* sineOfFirst, float* sineOfSecond, int n)
    {
        var half = n / 2;
        var i = 0;
        for (; i <= half - Floats.Width; i += Floats.Width)
        {
            Vector512<float> a = Floats.Load(x + i), b = Floats.Load(x + half + i), c = Floats.Load(cosine + i);
            ((a * c) + (b * Floats.Load(sineOfFirst + i))).Store(x + i);
            ((b * c) + (a * Floats.Load(sineOfSecond + i))).Store(x + half + i);
        }
        for (; i < half; i++)
        {
            float a = x[i], b = x[half + i];
            x[i] = (a * cosine[i]) + (b * sineOfFirst[i]);
            x[half + i] = (b * cosine[i]) + (a * sineOfSecond[i]);
        }
    }
}
