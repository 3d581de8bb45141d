using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>
/// The weights of a linear map, laid out for products with few rows: panels of 32 outputs, input behind input, so that a tile of eight rows runs
/// through a panel with its sums in registers. A library's product lays the weights out anew in every call, which is a fifth of the time of a
/// decoding step.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private const int Panel = 2 * Floats.Width;

    private readonly Scratch panels;

    public PackedMatrix(int outputs, int inputs)
    {
        (Outputs, Inputs) = (outputs, inputs);
        panels = new Scratch((long)Panels * Panel * inputs);
    }

    public int Outputs { get; }

    public int Inputs { get; }

    public int Panels => (Outputs + Panel - 1) / Panel;

    /// <summary>Takes the weights [outputs, inputs] as they are now.</summary>
    public void Load(float* weights) => NativeThreads.For(Panels, 1, (begin, end) =>
    {
        for (var panel = begin; panel < end; panel++)
        {
            var to = panels + (panel * Panel * Inputs);
            var columns = (int)Math.Min(Panel, Outputs - (panel * Panel));
            for (var column = 0; column < columns; column++)
            {
                var from = weights + (((panel * Panel) + column) * Inputs);
                for (var i = 0; i < Inputs; i++) to[(i * Panel) + column] = from[i];
            }
            for (var column = columns; column < Panel; column++)
                for (var i = 0; i < Inputs; i++) to[(i * Panel) + column] = 0;
        }
    });

    /// <summary>y = x W^T, or added to y, for the outputs of some panels: x [rows, inputs], y [rows, outputs].</summary>
    public void Multiply(float* x, float* y, int rows, bool add, int first, int last)
    {
        var tail = stackalloc float[8 * Panel];
        for (var panel = first; panel < last; panel++)
        {
            var weights = panels + ((long)panel * Panel * Inputs);
            var columns = Math.Min(Panel, Outputs - (panel * Panel));
            for (var row = 0; row < rows;)
            {
                float* from = x + ((long)row * Inputs), to = y + ((long)row * Outputs) + (panel * Panel);
                var whole = columns == Panel;
                var height = rows - row >= 8 ? 8 : rows - row >= 4 ? 4 : 1;
                float* target = whole ? to : tail;
                long stride = whole ? Outputs : Panel;
                if (!whole && add) Copy(to, Outputs, tail, Panel, height, columns);
                if (height == 8) Eight(from, weights, target, stride, add);
                else if (height == 4) Four(from, weights, target, stride, add);
                else One(from, weights, target, add);
                if (!whole) Copy(tail, Panel, to, Outputs, height, columns);
                row += height;
            }
        }
    }

    private static void Copy(float* from, long fromStride, float* to, long toStride, int rows, int columns)
    {
        for (var row = 0; row < rows; row++)
            for (var i = 0; i < columns; i++) to[(row * toStride) + i] = from[(row * fromStride) + i];
    }

    private void Eight(float* x, float* w, float* y, long stride, bool add)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        Vector512<float> e0 = default, e1 = default, f0 = default, f1 = default, g0 = default, g1 = default, h0 = default, h1 = default;
        long n = Inputs;
        float* x4 = x + (4 * n);
        for (long i = 0; i < n; i++)
        {
            Vector512<float> w0 = Floats.Load(w), w1 = Floats.Load(w + Floats.Width);
            w += Panel;
            var value = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(value, w0, a0);
            a1 = Vector512.FusedMultiplyAdd(value, w1, a1);
            value = Vector512.Create(x[n + i]);
            b0 = Vector512.FusedMultiplyAdd(value, w0, b0);
            b1 = Vector512.FusedMultiplyAdd(value, w1, b1);
            value = Vector512.Create(x[(2 * n) + i]);
            c0 = Vector512.FusedMultiplyAdd(value, w0, c0);
            c1 = Vector512.FusedMultiplyAdd(value, w1, c1);
            value = Vector512.Create(x[(3 * n) + i]);
            d0 = Vector512.FusedMultiplyAdd(value, w0, d0);
            d1 = Vector512.FusedMultiplyAdd(value, w1, d1);
            value = Vector512.Create(x4[i]);
            e0 = Vector512.FusedMultiplyAdd(value, w0, e0);
            e1 = Vector512.FusedMultiplyAdd(value, w1, e1);
            value = Vector512.Create(x4[n + i]);
            f0 = Vector512.FusedMultiplyAdd(value, w0, f0);
            f1 = Vector512.FusedMultiplyAdd(value, w1, f1);
            value = Vector512.Create(x4[(2 * n) + i]);
            g0 = Vector512.FusedMultiplyAdd(value, w0, g0);
            g1 = Vector512.FusedMultiplyAdd(value, w1, g1);
            value = Vector512.Create(x4[(3 * n) + i]);
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

    private void Four(float* x, float* w, float* y, long stride, bool add)
    {
        Vector512<float> a0 = default, a1 = default, b0 = default, b1 = default, c0 = default, c1 = default, d0 = default, d1 = default;
        long n = Inputs;
        for (long i = 0; i < n; i++)
        {
            Vector512<float> w0 = Floats.Load(w), w1 = Floats.Load(w + Floats.Width);
            w += Panel;
            var value = Vector512.Create(x[i]);
            a0 = Vector512.FusedMultiplyAdd(value, w0, a0);
            a1 = Vector512.FusedMultiplyAdd(value, w1, a1);
            value = Vector512.Create(x[n + i]);
            b0 = Vector512.FusedMultiplyAdd(value, w0, b0);
            b1 = Vector512.FusedMultiplyAdd(value, w1, b1);
            value = Vector512.Create(x[(2 * n) + i]);
            c0 = Vector512.FusedMultiplyAdd(value, w0, c0);
            c1 = Vector512.FusedMultiplyAdd(value, w1, c1);
            value = Vector512.Create(x[(3 * n) + i]);
            d0 = Vector512.FusedMultiplyAdd(value, w0, d0);
            d1 = Vector512.FusedMultiplyAdd(value, w1, d1);
        }
        Store(y, a0, a1, add);
        Store(y + stride, b0, b1, add);
        Store(y + (2 * stride), c0, c1, add);
        Store(y + (3 * stride), d0, d1, add);
    }

    private void One(float* x, float* w, float* y, bool add)
    {
        Vector512<float> even0 = default, even1 = default, odd0 = default, odd1 = default; // two chains of sums each, for one waits for its sum
        var i = 0;
        for (; i <= Inputs - 2; i += 2, w += 2 * Panel)
        {
            Vector512<float> even = Vector512.Create(x[i]), odd = Vector512.Create(x[i + 1]);
            even0 = Vector512.FusedMultiplyAdd(even, Floats.Load(w), even0);
            even1 = Vector512.FusedMultiplyAdd(even, Floats.Load(w + Floats.Width), even1);
            odd0 = Vector512.FusedMultiplyAdd(odd, Floats.Load(w + Panel), odd0);
            odd1 = Vector512.FusedMultiplyAdd(odd, Floats.Load(w + Panel + Floats.Width), odd1);
        }
        if (i < Inputs)
        {
            even0 = Vector512.FusedMultiplyAdd(Vector512.Create(x[i]), Floats.Load(w), even0);
            even1 = Vector512.FusedMultiplyAdd(Vector512.Create(x[i]), Floats.Load(w + Floats.Width), even1);
        }
        Store(y, even0 + odd0, even1 + odd1, add);
    }

    private static void Store(float* y, Vector512<float> left, Vector512<float> right, bool add)
    {
        if (add) (left, right) = (left + Floats.Load(y), right + Floats.Load(y + Floats.Width));
        left.Store(y);
        right.Store(y + Floats.Width);
    }

    public void Dispose() => panels.Dispose();
}
