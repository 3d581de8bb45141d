using System.Net;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Rlp.Training.Engines;

namespace Rlp.Evaluation.Tests;

public sealed partial class HtmlReportTests
{
    private const string Hostile = "</pre></details><script>alert(1)</script><img src=x onerror=\"alert('2')\"> & \0\u001b[31m \ud800";

    [Fact]
    public void Hostile_text_anywhere_stays_text()
    {
        var sample = new EvaluationSample(Hostile, Hostile, Hostile, Hostile, -1, -2);
        var stages = SampleRun.Report.Stages;
        var hostile = SampleRun.Report with { RunId = Hostile, Recipe = Hostile, Stages = [stages[0] with { Id = Hostile }, stages[3]] };
        var html = Render(sample, hostile, Hostile);

        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain("<img src=x", html);
        Assert.DoesNotContain('\0', html);
        Assert.DoesNotContain('\u001b', html);
        // The tags are those of the same report with harmless text.
        var harmless = sample with { Prefix = "a", Thought = "b", NextToken = "c", Answer = "c" };
        var quiet = Render(harmless, SampleRun.Report with { Stages = [stages[0] with { Id = "t" }, stages[3]] }, "u");
        Assert.Equal(Tags().Matches(quiet).Select(m => m.Value), Tags().Matches(html).Select(m => m.Value));
        Assert.True(Tags().Count(html) > 100);

        static string Render(EvaluationSample sample, RunReport report, string recipe) =>
            HtmlReport.Render(new ReportInput(
                report, [], new Dictionary<string, IReadOnlyList<EvaluationSample>> { ["base"] = [sample], ["rlp"] = [sample] }, recipe));
    }

    [Fact]
    public void The_file_needs_nothing_else()
    {
        var html = HtmlReport.Render(SampleRun.Input);
        Assert.DoesNotMatch(@"https?:", html);
        Assert.DoesNotMatch(@"<(script|link|iframe|a)\b", html);
        var sources = Regex.Matches(html, "(?:src|srcset)=\"([^\"]{0,30})").Select(m => m.Groups[1].Value).ToArray();
        Assert.Equal(8, sources.Length);
        Assert.All(sources, s => Assert.StartsWith("data:image/png;base64,", s));
    }

    [Fact]
    public void Every_tag_is_closed_in_its_place()
    {
        var html = HtmlReport.Render(SampleRun.Input);
        html = Regex.Replace(html, "<!DOCTYPE html>|<style>.*?</style>", "", RegexOptions.Singleline);
        html = Regex.Replace(html, "<(meta|img|source)([^>]*)>", "<$1$2/>");
        Assert.Equal("html", XDocument.Parse(html).Root!.Name);
    }

    [Fact]
    public void The_table_the_thoughts_of_both_models_and_the_recipe_are_in_it()
    {
        var html = WebUtility.HtmlDecode(HtmlReport.Render(SampleRun.Input));
        foreach (var cell in ComparisonTable.Rows(SampleRun.Report).SelectMany(r => r)) Assert.Contains($">{cell}</", html);
        Assert.Contains("<pre class=\"thought\">2 9 1 3</pre>", html);
        Assert.Contains("<pre class=\"thought\">2 9 1 2</pre>", html);
        Assert.Contains(SampleRun.Input.RecipeText, html);
    }

    [Fact]
    public void A_gain_is_green_and_a_loss_of_information_red()
    {
        var html = HtmlReport.Render(SampleRun.Input);
        Assert.Contains("<b class=\"bad\">-0.81 nats</b>", html);
        Assert.Contains("<b class=\"good\">+2.31 nats</b>", html);
    }

    [Fact]
    public void A_problem_that_one_model_did_not_answer_is_said_so_and_very_long_texts_are_cut()
    {
        var samples = new Dictionary<string, IReadOnlyList<EvaluationSample>>
        {
            ["base"] = [new("p", new string('x', 1 << 20), "n", "a", 0, 0)],
            ["rlp"] = [new("q", "t", "n", "a", 0, 0)],
        };
        var html = HtmlReport.Render(SampleRun.Input with { Samples = samples, Series = [] });
        Assert.Equal(2, Regex.Count(html, "not sampled"));
        Assert.DoesNotContain(new string('x', 20_001), html);
        Assert.Contains("[…]", WebUtility.HtmlDecode(html));
    }

    [GeneratedRegex(@"</?[a-z][a-z0-9]*")]
    private static partial Regex Tags();
}
