using System.Text;
using Rlp.Training.Metrics;

namespace Rlp.Evaluation;

/// <summary>The comparison as cells, which the terminal and the report lay out, and as plain text.</summary>
public static class ComparisonTable
{
    /// <summary>The first column is text, the others are numbers.</summary>
    public static IReadOnlyList<string> Headers { get; } =
        ["stage", "acc. thinking", "not thinking", "gain (nats)", "thought (tok)", "input tok", "FLOPs", "seconds"];

    /// <summary>One row per stage, one cell per header; a dash where nothing was measured.</summary>
    public static IReadOnlyList<string[]> Rows(RunReport report) =>
    [
        .. report.Stages.Select(s => new[]
        {
            s.Title,
            WithError(s.ThinkAccuracy, s.ThinkAccuracyStandardError),
            WithError(s.NothinkAccuracy, s.NothinkAccuracyStandardError),
            Measured(s.InfoGain, v => HumanNumber.Fixed(v, 2)),
            Measured(s.ThoughtLength, v => HumanNumber.Fixed(v, 1)),
            Measured(s.InputTokens, HumanNumber.Compact),
            Measured(s.Flops, HumanNumber.Scientific),
            Measured(s.Seconds, v => HumanNumber.Fixed(v, 1)),
        })
    ];

    /// <summary>Aligned columns without colour, at most 120 characters wide for stage names up to 20.</summary>
    public static string Text(RunReport report)
    {
        var rows = Rows(report);
        var widths = Headers.Select((h, column) => rows.Select(r => r[column].Length).Append(h.Length).Max()).ToArray();
        var text = new StringBuilder();
        Line(Headers);
        Line([.. widths.Select(w => new string('-', w))]);
        foreach (var row in rows) Line(row);
        return text.ToString();

        void Line(IReadOnlyList<string> cells)
        {
            text.Append(cells[0].PadRight(widths[0]));
            for (var column = 1; column < cells.Count; column++) text.Append("  ").Append(cells[column].PadLeft(widths[column]));
            text.Append('\n');
        }
    }

    private static string WithError(double mean, double error) =>
        Measured(mean, v => HumanNumber.Fixed(v, 3) + (double.IsFinite(error) ? $" ± {HumanNumber.Fixed(error, 3)}" : ""));

    private static string Measured(double value, Func<double, string> format) => double.IsNaN(value) ? "-" : format(value);
}
