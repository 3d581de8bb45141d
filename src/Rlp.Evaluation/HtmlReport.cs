using System.Globalization;
using System.Net;
using System.Text;
using Rlp.Training.Engines;
using Rlp.Training.Metrics;

namespace Rlp.Evaluation;

/// <summary>
/// The report of a run as one HTML file that needs nothing else: pictures inside, no scripts, no links, light or dark as the reader
/// prefers. Whatever a model or a corpus wrote is shown as text.
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
            <style>
            {StyleSheet()}</style>
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
        var cost = $"{HumanNumber.Scientific(rlp.Flops)} FLOPs, {HumanNumber.Fixed(rlp.Seconds, 1)} s";
        Tile("cost of RLP", HumanNumber.Compact(rlp.InputTokens) + " tokens", cost);
        html.Append("</section>\n");

        string Before(Func<StageReport, string> value) => report.Stage("base") is { } stage ? $"{value(stage)} before RLP" : "";

        void Tile(string name, string value, string note) =>
            html.Append($"""
                <div class="tile"><span>{Escape(name)}</span><strong>{Escape(value)}</strong><span>{Escape(note)}</span></div>

                """);
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
        html.Append("""
            </tbody></table></div>
            <p class="note">Accuracies are means over held-out problems of the share of right answers among the samples, ± the standard
            error over problems. Tokens, FLOPs and seconds are those of the stage's own training.</p>
            </section>

            """);
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
            html.Append($"""
                <picture><source media="(prefers-color-scheme: dark)" srcset="{Data(dark[file])}">
                <img src="{Data(light[file])}" alt="{alt}" width="{PlotSize.Page.Width}" height="{PlotSize.Page.Height}"></picture>

                """);
        html.Append("</div>\n</section>\n");
    }

    private static string Data(byte[] png) => "data:image/png;base64," + Convert.ToBase64String(png);

    private static void AppendSamples(StringBuilder html, IReadOnlyDictionary<string, IReadOnlyList<EvaluationSample>> samples)
    {
        var columns = new[] { "base", "rlp" }.Where(id => samples.TryGetValue(id, out var s) && s.Count > 0).ToArray();
        if (columns.Length == 0) return;
        html.Append("""
            <section>
            <h2>Sample thoughts</h2>
            <p class="note">One thought each for the first held-out problems. S<sub>pred</sub> and S<sub>ema</sub> are the log-probabilities
            (nats) of the true next token with the thought and without one; their difference is the information gain.</p>

            """);
        // The stages answered the same problems; where one lacks a problem, its half of the card says so.
        foreach (var problem in columns.SelectMany(id => samples[id]).DistinctBy(s => (s.Prefix, s.NextToken)).Take(ShownProblems))
        {
            html.Append($"""
                <article><h3><code>{Escape(problem.Prefix)}</code> <span>next token</span>
                <code class="next">{Escape(problem.NextToken)}</code></h3>
                <div class="pair">

                """);
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
            <p><span>answer</span> <code>{Escape(sample.Answer)}</code>
            <b class="{(right ? "good" : "bad")}">{(right ? "✓ right" : "✗ wrong")}</b></p>
            <p><span>S<sub>pred</sub></span> {HumanNumber.Fixed(sample.PredictedEvidence, 3)}
            <span>S<sub>ema</sub></span> {HumanNumber.Fixed(sample.TeacherEvidence, 3)}
            <b class="{(gain > 0 ? "good" : "bad")}">{(gain > 0 ? "+" : "")}{HumanNumber.Fixed(gain, 2)} nats</b></p></div>

            """);
    }

    /// <summary>
    /// Text safe inside elements and attributes; control characters become their visible pictures, so that nothing hides.
    /// </summary>
    private static string Escape(string text)
    {
        if (text.Length > ShownCharacters)
            text = string.Concat(text.AsSpan(0, ShownCharacters / 2), " […] ", text.AsSpan(text.Length - ShownCharacters / 2));
        return WebUtility.HtmlEncode(string.Concat(text.Select(c => c switch
        {
            '\n' or '\t' => c,
            < ' ' => (char)('\u2400' + c),
            '\x7f' => '\u2421',
            _ => c,
        })));
    }

    private static string StyleSheet()
    {
        using var reader = new StreamReader(typeof(HtmlReport).Assembly.GetManifestResourceStream("report.css")!, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
