using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>The rows of a forked state as a rectangle of parents times the most rows that one of them has, so that a parent's keys are read once.</summary>
internal sealed class ForkedRows
{
    /// <param name="index">Makes an index that lives as long as the pass.</param>
    public ForkedRows(DecoderState state, Func<long[], Tensor> index)
    {
        var nth = new int[state.Rows];
        for (var row = 1; row < state.Rows; row++) nth[row] = state.ParentRows[row] == state.ParentRows[row - 1] ? nth[row - 1] + 1 : 0;
        Most = nth.Max() + 1;
        var rectangle = new long[(long)state.Parent!.Rows * Most]; // an empty place repeats row 0
        var rows = new long[state.Rows];
        for (var row = 0; row < state.Rows; row++)
        {
            rows[row] = ((long)state.ParentRows[row] * Most) + nth[row];
            rectangle[rows[row]] = row;
        }
        if (rectangle.Length == rows.Length && rows.Index().All(row => row.Index == row.Item)) return;
        ToRectangle = index(rectangle);
        ToRows = index(rows);
    }

    /// <summary>Rows of the parent that has most.</summary>
    public int Most { get; }

    /// <summary>The row at each place of the rectangle, [parents * most] int64; null where the rows fill it in their order.</summary>
    public Tensor? ToRectangle { get; }

    /// <summary>The place of each row, [rows] int64; null as <see cref="ToRectangle"/>.</summary>
    public Tensor? ToRows { get; }
}
