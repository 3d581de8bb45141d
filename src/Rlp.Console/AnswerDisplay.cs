namespace Rlp.Consoles;

/// <summary>Shows answers, line by line.</summary>
public abstract class AnswerDisplay
{
    public abstract void Show(AnswerLine line);

    /// <summary>The answer is whole, or was broken off: what is held back is shown.</summary>
    public virtual void End()
    {
    }

    /// <summary>What a node sends is shown, never obeyed: no line breaks in a table, no commands to a terminal.</summary>
    protected static string Clean(string text) => text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;
}

/// <summary>
/// Text and tables, one after the other. A table is held back until it is whole, so that it can be drawn; one that streams is printed row by row, in
/// columns that grow with what comes.
/// </summary>
public abstract class TextAnswerDisplay : AnswerDisplay
{
    private readonly List<string[]> rows = [];
    private ColumnsLine? table;
    private int[] widths = [];
    private bool shown;

    public override void Show(AnswerLine line)
    {
        switch (line)
        {
            case RowLine row when table is not null:
                var cells = Enumerable.Range(0, table.Names.Count).Select(i => Clean(i < row.Cells.Count ? row.Cells[i] : "")).ToArray();
                if (table.Streams) WriteRow(Padded(cells));
                else rows.Add(cells);
                break;
            case ColumnsLine columns:
                Draw();
                if (shown) WriteText("");
                table = columns;
                widths = [.. columns.Names.Select(n => n.Length)];
                if (columns.Streams) WriteHeader(Padded(columns.Names));
                break;
            case TextLine text:
                Draw();
                foreach (var one in text.Text.ReplaceLineEndings("\n").Split('\n')) WriteText(Clean(one));
                break;
            case ErrorLine error:
                Draw();
                foreach (var one in error.Message.ReplaceLineEndings("\n").Split('\n')) WriteError(Clean(one));
                break;
        }
        shown = true;
    }

    public override void End()
    {
        Draw();
        shown = false;
    }

    private void Draw()
    {
        if (table is { Streams: false } whole) WriteTable(whole.Names, rows);
        rows.Clear();
        table = null;
    }

    protected abstract void WriteText(string line);

    protected abstract void WriteHeader(string line);

    protected abstract void WriteRow(string line);

    protected abstract void WriteTable(IReadOnlyList<string> columns, IReadOnlyList<string[]> rows);

    protected abstract void WriteError(string line);

    /// <summary>Widens the columns where a cell asks for it.</summary>
    protected string Padded(IReadOnlyList<string> cells)
    {
        for (var i = 0; i < cells.Count; i++) widths[i] = Math.Max(widths[i], cells[i].Length);
        return string.Join("  ", cells.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd();
    }
}

/// <summary>Plain text, a line at a time.</summary>
/// <param name="write">Takes a line of the answer.</param>
/// <param name="writeError">Takes a line of the error that ends it.</param>
public sealed class PlainAnswerDisplay(Action<string> write, Action<string> writeError) : TextAnswerDisplay
{
    protected override void WriteText(string line) => write(line);

    protected override void WriteHeader(string line) => write(line);

    protected override void WriteRow(string line) => write(line);

    protected override void WriteTable(IReadOnlyList<string> columns, IReadOnlyList<string[]> rows)
    {
        foreach (var row in rows) Padded(row);
        foreach (var line in ((string[][])[[.. columns], .. rows]).Select(Padded)) write(line);
    }

    protected override void WriteError(string line) => writeError(line);
}
