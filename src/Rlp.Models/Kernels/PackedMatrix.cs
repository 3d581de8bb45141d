using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>
/// The weights of a linear map, laid out for <see cref="Tile"/>: panels of 32 outputs, input behind input. A library's product lays the weights out
/// anew in every call, which is a fifth of the time of a decoding step.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private const int Panel = Tile.Panel;

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
        for (var panel = (int)begin; panel < end; panel++)
        {
            var to = panels + ((long)panel * Panel * Inputs);
            var columns = Columns(panel);
            for (var column = 0; column < columns; column++)
            {
                var from = weights + ((((long)panel * Panel) + column) * Inputs);
                for (var i = 0; i < Inputs; i++) to[((long)i * Panel) + column] = from[i];
            }
            if (columns < Panel)
                for (var i = 0; i < Inputs; i++) new Span<float>(to + ((long)i * Panel) + columns, Panel - columns).Clear();
        }
    });

    /// <summary>Takes the transpose of weights [inputs, outputs] as they are now.</summary>
    public void LoadTransposed(float* weights) => NativeThreads.For(Panels, 1, (begin, end) =>
    {
        for (var panel = (int)begin; panel < end; panel++) CopyPanel(weights + ((long)panel * Panel), Outputs, panels + ((long)panel * Panel * Inputs), Inputs, Columns(panel));
    });

    /// <summary>y = x W^T, or added to y, for the outputs of some panels: x [rows, inputs], y [rows, outputs].</summary>
    public void Multiply(float* x, float* y, int rows, bool add, int first, int last)
    {
        for (var panel = first; panel < last; panel++)
            Tile.Rows(
                x, Inputs, 1, panels + ((long)panel * Panel * Inputs), Inputs, y + ((long)panel * Panel), Outputs, rows, Columns(panel), add);
    }

    /// <summary>Copies columns of rows at a stride into a panel.</summary>
    internal static void CopyPanel(float* from, long stride, float* to, int rows, int columns)
    {
        for (var i = 0; i < rows; i++)
        {
            float* source = from + (i * stride), target = to + ((long)i * Panel);
            if (columns == Panel)
            {
                Vectors(source, target);
                continue;
            }
            new Span<float>(source, columns).CopyTo(new Span<float>(target, Panel));
            new Span<float>(target + columns, Panel - columns).Clear();
        }

        static void Vectors(float* source, float* target)
        {
            Vector512.Store(Floats.Load(source), target);
            Vector512.Store(Floats.Load(source + Floats.Width), target + Floats.Width);
        }
    }

    private int Columns(int panel) => Math.Min(Panel, Outputs - (panel * Panel));

    public void Dispose() => panels.Dispose();
}
