using System.Globalization;
using System.Text;

namespace Rlp.Benchmarks.Report;

/// <summary>Figures that belong together, as aligned text and as Markdown.</summary>
internal sealed record FigureTable(string Title, IReadOnlyList<Figure> Figures)
{
    private static readonly string[] Headers = ["figure", "unit", "ours", "beside", "its value", "ratio", "goal", "reached"];

    private static readonly bool[] Numbers = [false, false, true, false, true, true, false, false];

    public string Text()
    {
        var rows = Rows();
        int[] widths = [.. Headers.Select((h, column) => rows.Select(r => r[column].Length).Append(h.Length).Max())];
        var text = new StringBuilder().Append(Title).Append('\n');
        Line(Headers);
        Line([.. widths.Select(w => new string('-', w))]);
        foreach (var row in rows) Line(row);
        return text.ToString();

        void Line(string[] cells) => text.Append(string.Join("  ",
            cells.Select((cell, column) => Numbers[column] ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd()).Append('\n');
    }

    public string Markdown()
    {
        var text = new StringBuilder();
        Line(Headers);
        Line([.. Numbers.Select(n => n ? "---:" : "---")]);
        foreach (var row in Rows()) Line(row);
        return text.ToString();

        void Line(string[] cells) => text.Append("| ").Append(string.Join(" | ", cells)).Append(" |\n");
    }

    private List<string[]> Rows() =>
    [
        .. Figures.Select(f => new[]
        {
            f.Name, f.Unit, Number(f.Ours), f.Beside, f.Reference is { } reference ? Number(reference) : "",
            f.Ratio is { } ratio ? ratio.ToString("0.000", CultureInfo.InvariantCulture) : "",
            f.Goal?.Text ?? "", f.Goal is { } goal ? goal.Reached ? "yes" : "no" : "",
        })
    ];

    private static string Number(double value) => value.ToString(Math.Abs(value) switch
    {
        >= 100 or 0 => "#,0",
        >= 10 => "0.0",
        >= 0.1 => "0.00",
        _ => "0.0000",
    }, CultureInfo.InvariantCulture);
}
