using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>
/// Some rows times a panel of 32 columns, the sums in registers: y[r, c] = sum over i of x[r, i] w[i, c], or added to y. Element (r, i) of x lies at
/// r * row + i * input, so that a transposed matrix is read as it lies; w has its 32 columns one behind the other, y its rows at a stride.
/// </summary>
internal static unsafe class Tile
{
    /// <summary>Columns.</summary>
    public const int Panel = 2 * Floats.Width;

    /// <summary>All rows, a tile after the other; columns beyond <paramref name="columns"/> are not written.</summary>
    public static void Rows(
        float* x, long row, long input, float* w, int inputs, float* y, long stride, int rows, int columns, bool add)
    {
        var tail = stackalloc float[8 * Panel];
        for (var r = 0; r < rows;)
        {
            var height = rows - r >= 8 ? 8 : rows - r >= 4 ? 4 : 1;
            float* from = x + (r * row), to = y + (r * stride);
            var whole = columns == Panel;
            if (!whole && add) Copy(to, stride, tail, Panel, height, columns);
            float* target = whole ? to : tail;
            var targetStride = whole ? stride : Panel;
            if (height == 8) Eight(from, row, input, w, inputs, target, targetStride, add);
            else if (height == 4) Four(from, row, input, w, inputs, target, targetStride, add);
            else One(from, input, w, inputs, target, add);
            if (!whole) Copy(tail, Panel, to, stride, height, columns);
            r += height;
        }
    }

    private static void Copy(float* from, long fromStride, float* to, long toStride, int rows, int columns)
    {
        for (var row = 0; row < rows; row++)
            for (var i = 0; i < columns; i++) to[(row * toStride) + i] = from[(row * fromStride) + i];
    }

    /// <summary>Eight rows.</summary>
    private static void Eight(float* x, long row, long input, float* w, int inputs, float* y, long stride, bool add)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        Vector512<float> e0 = default, e1 = default, f0 = default, f1 = default, g0 = default, g1 = default, h0 = default, h1 = default;
        float* x4 = x + (4 * row);
        for (var i = 0; i < inputs; i++, x += input, x4 += input, w += Panel)
        {
            Vector512<float> w0 = Floats.Load(w), w1 = Floats.Load(w + Floats.Width);
            var value = Vector512.Create(*x);
            a0 = Vector512.FusedMultiplyAdd(value, w0, a0);
            a1 = Vector512.FusedMultiplyAdd(value, w1, a1);
            value = Vector512.Create(x[row]);
            b0 = Vector512.FusedMultiplyAdd(value, w0, b0);
            b1 = Vector512.FusedMultiplyAdd(value, w1, b1);
            value = Vector512.Create(x[2 * row]);
            c0 = Vector512.FusedMultiplyAdd(value, w0, c0);
            c1 = Vector512.FusedMultiplyAdd(value, w1, c1);
            value = Vector512.Create(x[3 * row]);
            d0 = Vector512.FusedMultiplyAdd(value, w0, d0);
            d1 = Vector512.FusedMultiplyAdd(value, w1, d1);
            value = Vector512.Create(*x4);
            e0 = Vector512.FusedMultiplyAdd(value, w0, e0);
            e1 = Vector512.FusedMultiplyAdd(value, w1, e1);
            value = Vector512.Create(x4[row]);
            f0 = Vector512.FusedMultiplyAdd(value, w0, f0);
            f1 = Vector512.FusedMultiplyAdd(value, w1, f1);
            value = Vector512.Create(x4[2 * row]);
            g0 = Vector512.FusedMultiplyAdd(value, w0, g0);
            g1 = Vector512.FusedMultiplyAdd(value, w1, g1);
            value = Vector512.Create(x4[3 * row]);
            h0 = Vector512.FusedMultiplyAdd(value, w0, h0);
            h1 = Vector512.FusedMultiplyAdd(value, w1, h1);
        }
        Store(y, a0, a1, add);
        Store(y + stride, b0, b1, add);
        Store(y + (2 * stride), c0, c1, add);
        Store(y + (3 * stride), d0, d1, add);
        Store(y + (4 * stride), e0, e1, add);
        Store(y + (5 * stride), f0, f1, add);
        Store(y + (6 * stride), g0, g1, add);
        Store(y + (7 * stride), h0, h1, add);
    }

    /// <summary>Four rows.</summary>
    private static void Four(float* x, long row, long input, float* w, int inputs, float* y, long stride, bool add)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        for (var i = 0; i < inputs; i++, x += input, w += Panel)
        {
            Vector512<float> w0 = Floats.Load(w), w1 = Floats.Load(w + Floats.Width);
            var value = Vector512.Create(*x);
            a0 = Vector512.FusedMultiplyAdd(value, w0, a0);
            a1 = Vector512.FusedMultiplyAdd(value, w1, a1);
            value = Vector512.Create(x[row]);
            b0 = Vector512.FusedMultiplyAdd(value, w0, b0);
            b1 = Vector512.FusedMultiplyAdd(value, w1, b1);
            value = Vector512.Create(x[2 * row]);
            c0 = Vector512.FusedMultiplyAdd(value, w0, c0);
            c1 = Vector512.FusedMultiplyAdd(value, w1, c1);
            value = Vector512.Create(x[3 * row]);
            d0 = Vector512.FusedMultiplyAdd(value, w0, d0);
            d1 = Vector512.FusedMultiplyAdd(value, w1, d1);
        }
        Store(y, a0, a1, add);
        Store(y + stride, b0, b1, add);
        Store(y + (2 * stride), c0, c1, add);
        Store(y + (3 * stride), d0, d1, add);
    }

    /// <summary>One row, in two chains of sums, for one waits for its sum.</summary>
    private static void One(float* x, long input, float* w, int inputs, float* y, bool add)
    {
        Vector512<float> even0 = default, even1 = default, odd0 = default, odd1 = default;
        var i = 0;
        for (; i <= inputs - 2; i += 2, x += 2 * input, w += 2 * Panel)
        {
            Vector512<float> even = Vector512.Create(*x), odd = Vector512.Create(x[input]);
            even0 = Vector512.FusedMultiplyAdd(even, Floats.Load(w), even0);
            even1 = Vector512.FusedMultiplyAdd(even, Floats.Load(w + Floats.Width), even1);
            odd0 = Vector512.FusedMultiplyAdd(odd, Floats.Load(w + Panel), odd0);
            odd1 = Vector512.FusedMultiplyAdd(odd, Floats.Load(w + Panel + Floats.Width), odd1);
        }
        if (i < inputs)
        {
            even0 = Vector512.FusedMultiplyAdd(Vector512.Create(*x), Floats.Load(w), even0);
            even1 = Vector512.FusedMultiplyAdd(Vector512.Create(*x), Floats.Load(w + Floats.Width), even1);
        }
        Store(y, even0 + odd0, even1 + odd1, add);
    }

    private static void Store(float* y, Vector512<float> left, Vector512<float> right, bool add)
    {
        if (add) (left, right) = (left + Floats.Load(y), right + Floats.Load(y + Floats.Width));
        left.Store(y);
        right.Store(y + Floats.Width);
    }
}
