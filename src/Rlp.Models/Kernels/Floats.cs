using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>Vector loops over raw float32 memory. Sums run in one fixed order, whatever the alignment.</summary>
internal static unsafe class Floats
{
    /// <summary>Elements of a vector.</summary>
    public const int Width = 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* p) => Vector512.Load(p);

    public static float Dot(float* a, float* b, int n)
    {
        var sum = Vector512<float>.Zero;
        var i = 0;
        for (; i <= n - Width; i += Width) sum = Vector512.FusedMultiplyAdd(Load(a + i), Load(b + i), sum);
        var total = Vector512.Sum(sum);
        for (; i < n; i++) total += a[i] * b[i];
        return total;
    }

    /// <summary>y += x.</summary>
    public static void Add(float* y, float* x, int n)
    {
        var i = 0;
        for (; i <= n - Width; i += Width) (Load(x + i) + Load(y + i)).Store(y + i);
        for (; i < n; i++) y[i] += x[i];
    }

    public static void Scale(float* x, float factor, int n)
    {
        var vector = Vector512.Create(factor);
        var i = 0;
        for (; i <= n - Width; i += Width) (Load(x + i) * vector).Store(x + i);
        for (; i < n; i++) x[i] *= factor;
    }

    public static float Max(float* x, int n)
    {
        var most = Vector512.Create(float.NegativeInfinity);
        var i = 0;
        for (; i <= n - Width; i += Width) most = Vector512.Max(most, Load(x + i));
        var result = Max(most);
        for (; i < n; i++) result = MathF.Max(result, x[i]);
        return result;
    }

    /// <summary>The greatest element of a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector512<float> x)
    {
        var eight = Vector256.Max(x.GetLower(), x.GetUpper());
        var four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>x &lt;- exp(x * scale - shift) in place; returns the sum.</summary>
    public static float ExpSum(float* x, float scale, float shift, int n)
    {
        Vector512<float> factor = Vector512.Create(scale), offset = Vector512.Create(-shift), sum = Vector512<float>.Zero;
        var i = 0;
        for (; i <= n - Width; i += Width)
        {
            var e = Exp(Vector512.FusedMultiplyAdd(Load(x + i), factor, offset));
            e.Store(x + i);
            sum += e;
        }
        var total = Vector512.Sum(sum);
        for (; i < n; i++) total += x[i] = MathF.Exp(MathF.FusedMultiplyAdd(x[i], scale, -shift));
        return total;
    }

    /// <summary>
    /// e^x within two units in the last place, zero below the least normal number: x = k ln 2 + r, then the Taylor polynomial of e^r to the
    /// seventh power on |r| up to ln 2 / 2, then k added to the exponent.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        const float Least = -87.3f, Most = 88.7f, High = 0.693359375f, Low = -2.12194440e-4f; // High + Low = ln 2; multiples of High are exact
        var below = Vector512.LessThan(x, Vector512.Create(Least)); // false for NaN, which stays NaN
        x = Vector512.Min(Vector512.Max(x, Vector512.Create(Least)), Vector512.Create(Most));
        var k = Vector512.Round(x * Vector512.Create(1.44269504f));
        var r = Vector512.FusedMultiplyAdd(k, Vector512.Create(-High), x);
        r = Vector512.FusedMultiplyAdd(k, Vector512.Create(-Low), r);
        var p = Vector512.FusedMultiplyAdd(r, Vector512.Create(1f / 5040), Vector512.Create(1f / 720));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 120));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 24));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 6));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        var half = Vector512.ShiftRightArithmetic(Vector512.ConvertToInt32(k), 1); // 2^k in two factors, for k may be 128
        var other = Vector512.ConvertToInt32(k) - half;
        p = p * PowerOfTwo(half) * PowerOfTwo(other);
        return Vector512.AndNot(p, below);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> PowerOfTwo(Vector512<int> k) => Vector512.ShiftLeft(k + Vector512.Create(127), 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exp(-x));
}
