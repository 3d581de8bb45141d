namespace Rlp.Models.Kernels;

/// <summary>The gradient of a linear map's weights: W += Y^T X, a sum of outer products over rows.</summary>
internal static unsafe class OuterProducts
{
    private const int RowsAtOnce = 256; // a panel of so many rows stays in the first cache

    /// <param name="y">[rows, outputs].</param>
    /// <param name="x">[rows, inputs].</param>
    /// <param name="w">[outputs, inputs], added to.</param>
    public static void Add(float* y, float* x, float* w, int rows, int outputs, int inputs) => NativeThreads.For((outputs + 7) / 8, 1, (begin, end) =>
    {
        int first = (int)begin * 8, count = (int)Math.Min(outputs, end * 8) - first;
        using var panel = new Scratch(RowsAtOnce * Tile.Panel);
        for (var row = 0; row < rows; row += RowsAtOnce)
        {
            var part = Math.Min(RowsAtOnce, rows - row);
            for (var column = 0; column < inputs; column += Tile.Panel)
            {
                var columns = Math.Min(Tile.Panel, inputs - column);
                PackedMatrix.CopyPanel(x + ((long)row * inputs) + column, inputs, panel, part, columns);
                Tile.Rows(
                    y + ((long)row * outputs) + first, 1, outputs, panel, part, w + ((long)first * inputs) + column, inputs, count, columns, add: true);
            }
        }
    });
}
