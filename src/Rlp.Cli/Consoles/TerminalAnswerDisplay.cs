using Rlp.Consoles;
using Spectre.Console;

namespace Rlp.Cli.Consoles;

/// <summary>Drawn tables and colours, for a terminal.</summary>
internal sealed class TerminalAnswerDisplay(IAnsiConsole terminal) : TextAnswerDisplay
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

    protected override void WriteError(string line) => terminal.MarkupLine($"[red]{Markup.Escape(line)}[/]");

    private static string Cell(string text) => Colours.TryGetValue(text, out var colour) ? $"[{colour}]{Markup.Escape(text)}[/]" : Markup.Escape(text);
}
