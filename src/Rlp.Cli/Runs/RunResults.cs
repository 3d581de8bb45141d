using Rlp.Actors.Journals;
using Rlp.Evaluation;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Training.Engines;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Runs;

/// <summary>A finished run's results, made from its journal and its metrics: report.json, four plots, report.html.</summary>
internal static class RunResults
{
    public const string ReportFile = "report.json";
    public const string PageFile = "report.html";

    /// <summary>Writes everything and returns the comparison; null where the recipe compares nothing.</summary>
    public static RunReport? Write(RunJournal journal, string runId, string folder, string recipeText)
    {
        var events = journal.Events(runId);
        if (Compare(runId, events) is not { } report) return null;
        var series = MetricsFile.Read(Path.Combine(folder, RunMetrics.FileName));
        report.Write(Path.Combine(folder, ReportFile));
        RunPlots.Write(folder, series, report);
        HtmlReport.Write(Path.Combine(folder, PageFile), new ReportInput(report, series, Samples(events), recipeText));
        return report;
    }

    public static void Show(RunReport? report, string folder, RunDisplay display)
    {
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, folder);
        if (report is null) display.Say($"done; the metrics are in {Path.Combine(relative, RunMetrics.FileName)}");
        else
            display.Result(report,
            [
                "accuracy: avg@k at the recipe's temperature on held-out problems, ± standard error over problems.",
                $"gain: log p(next token | prefix, own thought) - log p(next token | prefix) of {report.Stages[0].Title}, the same yardstick for every row.",
                $"report: {Path.Combine(relative, PageFile)}   plots: {Path.Combine(relative, "*.png")}   metrics: {Path.Combine(relative, RunMetrics.FileName)}",
            ]);
    }

    /// <summary>
    /// One row per compared stage. Its information gain is measured against what the first, BASE where there is one, predicts without a
    /// thought, so that no stage gains by getting worse at predicting without one.
    /// </summary>
    private static RunReport? Compare(string runId, IReadOnlyList<IRunEvent> events)
    {
        var created = events.OfType<RunCreated>().FirstOrDefault();
        var compared = events.OfType<StageEvaluated>().Where(e => e.Compared).DistinctBy(e => e.Stage).ToDictionary(e => e.Stage);
        if (created is null || compared.Count == 0) return null;
        var steps = events.OfType<StepApplied>().ToLookup(s => s.Stage);
        var yardstick = compared.Values.First().Result.NothinkEvidence;
        return new RunReport(runId, Training.Recipes.Recipe.FromJson(created.RecipeJson).Name, created.Seed,
        [
            .. created.Plan.Compared.Where(c => compared.ContainsKey(c.Name)).Select(c =>
            {
                var result = compared[c.Name].Result;
                return new StageReport
                {
                    Id = c.Name,
                    ThinkAccuracy = result.ThinkAccuracy,
                    ThinkAccuracyStandardError = result.ThinkAccuracyStandardError,
                    NothinkAccuracy = result.NothinkAccuracy,
                    NothinkAccuracyStandardError = result.NothinkAccuracyStandardError,
                    InfoGain = result.PredictedEvidence - yardstick,
                    ThoughtLength = result.ThoughtLength,
                    InputTokens = steps[c.Stage].Sum(s => s.InputTokens),
                    Flops = steps[c.Stage].Sum(s => s.Flops),
                    Seconds = steps[c.Stage].Sum(s => s.Seconds),
                };
            }),
        ]);
    }

    private static Dictionary<string, IReadOnlyList<EvaluationSample>> Samples(IReadOnlyList<IRunEvent> events) =>
        events.OfType<StageEvaluated>().Where(e => e.Compared).DistinctBy(e => e.Stage).ToDictionary(
            e => e.Stage,
            e => (IReadOnlyList<EvaluationSample>)[.. e.Result.Samples.Select(Sample)]);

    private static EvaluationSample Sample(WireEvaluationSample s) => new(s.Prefix, s.Thought, s.NextToken, s.Answer, s.PredictedEvidence, s.TeacherEvidence);
}
