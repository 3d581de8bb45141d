using System.Globalization;
using System.Net;
using System.Text;
using Rlp.Training.Engines;
using Rlp.Training.Metrics;

namespace Rlp.Evaluation;

/// <summary>
/// The report of a run as one HTML file that needs nothing else: pictures inside, no scripts, no links, light or dark as the reader prefers.
/// Whatever a model or a corpus wrote is shown as text.
/// </summary>
public static class HtmlReport
{
    /// <summary>Problems whose thoughts are shown.</summary>
    private const int ShownProblems = 8;

    /// <summary>A longer text (a thought, a prefix, a recipe) is cut in its middle.</summary>
    private const int ShownCharacters = 20_000;

    public static void Write(string path, ReportInput input) =>
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(Render(input))));

    public static string Render(ReportInput input)
    {
        var report = input.Report;
        var html = new StringBuilder();
        html.Append($"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
            <title>RLP run {Escape(report.RunId)}</title>
            <style>{Style}</style>
            </head>
            <body>
            <header>
            <p class="kicker">Reinforcement as a pretraining objective</p>
            <h1>Run {Escape(report.RunId)}</h1>
            <dl class="facts">
            <div><dt>Recipe</dt><dd>{Escape(report.Recipe)}</dd></div>
            <div><dt>Seed</dt><dd>{report.Seed.ToString(CultureInfo.InvariantCulture)}</dd></div>
            </dl>
            </header>
            <main>

            """);
        AppendHeadline(html, report);
        AppendTable(html, report);
        AppendPlots(html, input);
        AppendSamples(html, input.Samples);
        html.Append($"""
            <section>
            <h2>Recipe</h2>
            <details><summary>The settings that decide every number of this run</summary>
            <pre>{Escape(input.RecipeText)}</pre></details>
            </section>
            </main>
            </body>
            </html>

            """);
        return html.ToString();
    }

    private static void AppendHeadline(StringBuilder html, RunReport report)
    {
        if (report.Stage("rlp") is not { } rlp) return;
        html.Append("<section class=\"tiles\">\n");
        Tile("accuracy, thinking", HumanNumber.Fixed(rlp.ThinkAccuracy, 3), Before(s => HumanNumber.Fixed(s.ThinkAccuracy, 3)));
        Tile("information gain", HumanNumber.Fixed(rlp.InfoGain, 2) + " nats", Before(s => HumanNumber.Fixed(s.InfoGain, 2)));
        Tile("thought length", HumanNumber.Fixed(rlp.ThoughtLength, 1) + " tokens", Before(s => HumanNumber.Fixed(s.ThoughtLength, 1)));
        Tile("cost of RLP", HumanNumber.Compact(rlp.InputTokens) + " tokens", $"{HumanNumber.Scientific(rlp.Flops)} FLOPs, {HumanNumber.Fixed(rlp.Seconds, 1)} s");
        html.Append("</section>\n");

        string Before(Func<StageReport, string> value) => report.Stage("base") is { } stage ? $"{value(stage)} before RLP" : "";

        void Tile(string name, string value, string note) =>
            html.Append($"<div class=\"tile\"><span>{Escape(name)}</span><strong>{Escape(value)}</strong><span>{Escape(note)}</span></div>\n");
    }

    private static void AppendTable(StringBuilder html, RunReport report)
    {
        html.Append("<section>\n<h2>Comparison</h2>\n<div class=\"scroll\"><table>\n<thead><tr>");
        foreach (var header in ComparisonTable.Headers) html.Append($"<th scope=\"col\">{Escape(header)}</th>");
        html.Append("</tr></thead>\n<tbody>\n");
        foreach (var (row, stage) in ComparisonTable.Rows(report).Zip(report.Stages))
        {
            html.Append(stage.Id == "rlp" ? "<tr class=\"rlp\">" : "<tr>").Append($"<th scope=\"row\">{Escape(row[0])}</th>");
            foreach (var cell in row[1..]) html.Append($"<td>{Escape(cell)}</td>");
            html.Append("</tr>\n");
        }
        html.Append("</tbody></table></div>\n<p class=\"note\">Accuracies are means over held-out problems of the share of right answers among the samples, "
            + "± the standard error over problems. Tokens, FLOPs and seconds are those of the stage's own training.</p>\n</section>\n");
    }

    private static void AppendPlots(StringBuilder html, ReportInput input)
    {
        var light = RunPlots.Render(input.Series, input.Report, PlotTheme.Light, PlotSize.Page);
        var dark = RunPlots.Render(input.Series, input.Report, PlotTheme.Dark, PlotSize.Page);
        html.Append("<section>\n<h2>Over the steps</h2>\n<div class=\"plots\">\n");
        foreach (var (file, alt) in new[]
        {
            (RunPlots.InfoGainFile, "Information gain over steps"), (RunPlots.AccuracyFile, "Accuracy over steps"),
            (RunPlots.ThoughtLengthFile, "Thought length over steps"), (RunPlots.LossFile, "Loss over steps"),
        })
            html.Append($"<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"{Data(dark[file])}\">"
                + $"<img src=\"{Data(light[file])}\" alt=\"{alt}\" width=\"{PlotSize.Page.Width}\" height=\"{PlotSize.Page.Height}\"></picture>\n");
        html.Append("</div>\n</section>\n");
    }

    private static string Data(byte[] png) => "data:image/png;base64," + Convert.ToBase64String(png);

    private static void AppendSamples(StringBuilder html, IReadOnlyDictionary<string, IReadOnlyList<EvaluationSample>> samples)
    {
        var columns = new[] { "base", "rlp" }.Where(id => samples.TryGetValue(id, out var s) && s.Count > 0).ToArray();
        if (columns.Length == 0) return;
        html.Append("<section>\n<h2>Sample thoughts</h2>\n<p class=\"note\">One thought each for the first held-out problems. "
            + "S<sub>pred</sub> and S<sub>ema</sub> are the log-probabilities (nats) of the true next token with the thought and without one; their difference is the information gain.</p>\n");
        // The stages answered the same problems; where one lacks a problem, its half of the card says so.
        foreach (var problem in columns.SelectMany(id => samples[id]).DistinctBy(s => (s.Prefix, s.NextToken)).Take(ShownProblems))
        {
            html.Append($"<article><h3><code>{Escape(problem.Prefix)}</code> <span>next token</span> <code class=\"next\">{Escape(problem.NextToken)}</code></h3>\n<div class=\"pair\">\n");
            foreach (var id in columns)
                AppendSample(html, id, samples[id].FirstOrDefault(s => s.Prefix == problem.Prefix && s.NextToken == problem.NextToken));
            html.Append("</div></article>\n");
        }
        html.Append("</section>\n");
    }

    private static void AppendSample(StringBuilder html, string id, EvaluationSample? sample)
    {
        html.Append($"<div class=\"sample\"><h4>{Escape(StageReport.TitleOf(id))}</h4>");
        if (sample is null)
        {
            html.Append("<p class=\"note\">not sampled</p></div>\n");
            return;
        }
        var gain = sample.PredictedEvidence - sample.TeacherEvidence;
        var right = sample.Answer.Trim() == sample.NextToken.Trim();
        html.Append($"""
            <pre class="thought">{Escape(sample.Thought)}</pre>
            <p><span>answer</span> <code>{Escape(sample.Answer)}</code> <b class="{(right ? "good" : "bad")}">{(right ? "✓ right" : "✗ wrong")}</b></p>
            <p><span>S<sub>pred</sub></span> {HumanNumber.Fixed(sample.PredictedEvidence, 3)} <span>S<sub>ema</sub></span> {HumanNumber.Fixed(sample.TeacherEvidence, 3)}
            <b class="{(gain > 0 ? "good" : "bad")}">{(gain > 0 ? "+" : "")}{HumanNumber.Fixed(gain, 2)} nats</b></p></div>

            """);
    }

    /// <summary>Text safe inside elements and attributes; control characters become their visible pictures, so that nothing hides.</summary>
    private static string Escape(string text)
    {
        if (text.Length > ShownCharacters)
            text = string.Concat(text.AsSpan(0, ShownCharacters / 2), " […] ", text.AsSpan(text.Length - ShownCharacters / 2));
        var visible = string.Create(text.Length, text, static (characters, source) =>
        {
            for (var i = 0; i < source.Length; i++)
                characters[i] = source[i] is < ' ' and not ('\n' or '\t') ? (char)('\u2400' + source[i]) : source[i] == '\x7f' ? '\u2421' : source[i];
        });
        return WebUtility.HtmlEncode(visible);
    }

    private const string Style = """

        :root { color-scheme: light dark; --page: #f6f8fa; --card: #fff; --text: #1f2328; --soft: #59636e; --line: #d8dee4; --accent: #0072b2; --tint: #eaf4fb; --good: #1a7f37; --bad: #cf222e; }
        @media (prefers-color-scheme: dark) { :root { --page: #0d1117; --card: #161b22; --text: #e6edf3; --soft: #9aa4af; --line: #2b323b; --accent: #56b4e9; --tint: #12283a; --good: #3fb950; --bad: #ff7b72; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 1180px; padding: 40px 24px 64px; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
        h1 { margin: 0; font-size: 30px; letter-spacing: -.02em; overflow-wrap: anywhere; }
        h2 { margin: 44px 0 14px; font-size: 20px; letter-spacing: -.01em; }
        h3 { margin: 0 0 12px; font-size: 15px; font-weight: 500; overflow-wrap: anywhere; }
        h3 span, p span { color: var(--soft); font-size: 13px; }
        h4 { margin: 0 0 8px; font-size: 12px; letter-spacing: .06em; color: var(--soft); }
        .kicker { margin: 0 0 4px; color: var(--accent); font-weight: 600; font-size: 13px; }
        .facts { display: flex; flex-wrap: wrap; gap: 8px 32px; margin: 12px 0 0; }
        .facts div { display: flex; gap: 8px; } .facts dt { color: var(--soft); } .facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px; margin-top: 28px; }
        .tile, article, .scroll, details { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
        .tile { padding: 16px 18px; display: flex; flex-direction: column; gap: 2px; }
        .tile strong { font-size: 24px; letter-spacing: -.02em; font-variant-numeric: tabular-nums; } .tile span { color: var(--soft); font-size: 13px; }
        .scroll { overflow-x: auto; }
        table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
        th, td { padding: 10px 14px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); font-weight: 400; }
        thead th { border-top: 0; color: var(--soft); font-size: 13px; } th:first-child { text-align: left; } tbody th { font-weight: 600; }
        tr.rlp > * { background: var(--tint); font-weight: 600; }
        .note { color: var(--soft); font-size: 13px; margin: 10px 0 14px; }
        .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 14px; }
        .plots img { display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: 10px; }
        article { padding: 16px 18px; margin-bottom: 14px; }
        .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(360px, 100%), 1fr)); gap: 18px; }
        .sample { min-width: 0; } .sample p { margin: 6px 0 0; font-variant-numeric: tabular-nums; }
        code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
        code { background: var(--page); border-radius: 5px; padding: 2px 6px; white-space: pre-wrap; overflow-wrap: anywhere; } code.next { color: var(--accent); font-weight: 700; }
        pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; } .thought { background: var(--page); border-radius: 8px; padding: 10px 12px; max-height: 260px; overflow-y: auto; min-height: 1.5em; }
        b { font-weight: 600; margin-left: 8px; } .good { color: var(--good); } .bad { color: var(--bad); }
        details { padding: 12px 18px; } summary { cursor: pointer; color: var(--soft); } details pre { margin-top: 12px; }

        """;
}
