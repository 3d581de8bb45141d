using Rlp.Consoles;
using Spectre.Console;

namespace Rlp.Cli.Consoles;

/// <summary>Shows answers, line by line.</summary>
internal abstract class AnswerDisplay
{
    public abstract void Show(AnswerLine line);

    /// <summary>The answer is whole, or was broken off: what is held back is shown.</summary>
    public virtual void End()
    {
    }

    /// <summary>What a node sends is shown, never obeyed: no line breaks in a table, no commands to a terminal.</summary>
    protected static string Clean(string text) => text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;
}

/// <summary>The lines as they came; errors too are part of the answer.</summary>
internal sealed class JsonAnswerDisplay(TextWriter output) : AnswerDisplay
{
    public override void Show(AnswerLine line)
    {
        output.WriteLine(line.ToJson());
        output.Flush();
    }
}

/// <summary>
/// Text and tables, one after the other. A table is held back until it is whole, so that it can be drawn; one that streams is printed row by row, in
/// columns that grow with what comes.
/// </summary>
internal abstract class TextAnswerDisplay(TextWriter errors) : AnswerDisplay
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
                foreach (var one in error.Message.ReplaceLineEndings("\n").Split('\n')) WriteError(errors, Clean(one));
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

    protected virtual void WriteError(TextWriter errors, string message) => errors.WriteLine($"rlp: {message}");

    /// <summary>Widens the columns where a cell asks for it.</summary>
    protected string Padded(IReadOnlyList<string> cells)
    {
        for (var i = 0; i < cells.Count; i++) widths[i] = Math.Max(widths[i], cells[i].Length);
        return string.Join("  ", cells.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd();
    }
}

/// <summary>Plain text, for pipes.</summary>
internal sealed class PlainAnswerDisplay(TextWriter output, TextWriter errors) : TextAnswerDisplay(errors)
{
    protected override void WriteText(string line)
    {
        output.WriteLine(line);
        output.Flush();
    }

    protected override void WriteHeader(string line) => WriteText(line);

    protected override void WriteRow(string line) => WriteText(line);

    protected override void WriteTable(IReadOnlyList<string> columns, IReadOnlyList<string[]> rows)
    {
        foreach (var row in rows) Padded(row);
        foreach (var line in ((string[][])[[.. columns], .. rows]).Select(Padded)) WriteText(line);
    }
}

/// <summary>Drawn tables and colours, for a terminal.</summary>
internal sealed class TerminalAnswerDisplay(IAnsiConsole terminal) : TextAnswerDisplay(TextWriter.Null)
{
    private static readonly Dictionary<string, string> Colours = new(StringComparer.Ordinal)
    {
        ["running"] = "green",
        ["working"] = "green",
        ["up"] = "green",
        ["whole"] = "green",
        ["completed"] = "blue",
        ["complete"] = "blue",
        ["failed"] = "red",
        ["down"] = "red",
        ["no"] = "red",
        ["does not answer"] = "red",
        ["paused"] = "yellow",
        ["draining"] = "yellow",
        ["restarting"] = "yellow",
        ["leaving"] = "yellow",
        ["exiting"] = "yellow",
        ["cancelled"] = "grey",
        ["pruned"] = "grey",
    };

    protected override void WriteText(string line) => terminal.WriteLine(line);

    protected override void WriteHeader(string line) => terminal.MarkupLine($"[bold]{Markup.Escape(line)}[/]");

    protected override void WriteRow(string line) => terminal.WriteLine(line);

    protected override void WriteTable(IReadOnlyList<string> columns, IReadOnlyList<string[]> rows)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var column in columns) table.AddColumn(new TableColumn($"[bold]{Markup.Escape(column)}[/]"));
        foreach (var row in rows) table.AddRow([.. row.Select(Cell)]);
        terminal.Write(table);
    }

    protected override void WriteError(TextWriter errors, string message) => terminal.MarkupLine($"[red]{Markup.Escape(message)}[/]");

    private static string Cell(string text) => Colours.TryGetValue(text, out var colour) ? $"[{colour}]{Markup.Escape(text)}[/]" : Markup.Escape(text);
}
