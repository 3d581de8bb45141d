using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rlp.Models.Kernels;

/// <summary>Products of one vector with the rows of a matrix, bound by reading the matrix once.</summary>
internal static unsafe class VectorProduct
{
    /// <summary>y_i = row_i . x; rows one behind the other.</summary>
    public static void Rows(float* matrix, float* x, float* y, int rows, int n)
    {
        var i = 0;
        for (; i <= rows - 4; i += 4)
        {
            float* a = matrix + ((long)i * n), b = a + n, c = b + n, d = c + n;
            Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
            var k = 0;
            for (; k <= n - Floats.Width; k += Floats.Width)
            {
                var value = Floats.Load(x + k);
                s0 = Vector512.FusedMultiplyAdd(Floats.Load(a + k), value, s0);
                s1 = Vector512.FusedMultiplyAdd(Floats.Load(b + k), value, s1);
                s2 = Vector512.FusedMultiplyAdd(Floats.Load(c + k), value, s2);
                s3 = Vector512.FusedMultiplyAdd(Floats.Load(d + k), value, s3);
            }
            float t0 = Vector512.Sum(s0), t1 = Vector512.Sum(s1), t2 = Vector512.Sum(s2), t3 = Vector512.Sum(s3);
            for (; k < n; k++)
            {
                t0 += a[k] * x[k];
                t1 += b[k] * x[k];
                t2 += c[k] * x[k];
                t3 += d[k] * x[k];
            }
            (y[i], y[i + 1], y[i + 2], y[i + 3]) = (t0, t1, t2, t3);
        }
        for (; i < rows; i++) y[i] = Floats.Dot(matrix + ((long)i * n), x, n);
    }

    /// <summary>Brings memory into the second cache while something else is computed.</summary>
    public static void Prefetch(float* start, int n)
    {
        if (!Sse.IsSupported) return;
        for (var i = 0; i < n; i += Floats.Width) Sse.Prefetch1(start + i);
    }

    /// <summary>y = start + sum of w_i row_i; rows one behind the other.</summary>
    public static void WeightedSum(float* matrix, float* w, float* start, float* y, int rows, int n)
    {
        var k = 0;
        for (; k <= n - (2 * Floats.Width); k += 2 * Floats.Width)
        {
            Vector512<float> s0 = Floats.Load(start + k), s1 = Floats.Load(start + k + Floats.Width);
            for (var i = 0; i < rows; i++)
            {
                var row = matrix + ((long)i * n) + k;
                var weight = Vector512.Create(w[i]);
                s0 = Vector512.FusedMultiplyAdd(Floats.Load(row), weight, s0);
                s1 = Vector512.FusedMultiplyAdd(Floats.Load(row + Floats.Width), weight, s1);
            }
            s0.Store(y + k);
            s1.Store(y + k + Floats.Width);
        }
        for (; k < n; k++)
        {
            var sum = start[k];
            for (var i = 0; i < rows; i++) sum += w[i] * matrix[((long)i * n) + k];
            y[k] = sum;
        }
    }
}
