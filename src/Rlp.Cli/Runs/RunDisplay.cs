using Rlp.Protocol.Replies;
using Rlp.Training.Metrics;
using Rlp.Training.Recipes;
using Spectre.Console;

namespace Rlp.Cli.Runs;

/// <summary>Shows a run while it goes: plain lines in a pipe, a progress bar below them on a terminal, JSON lines for a script.</summary>
internal abstract class RunDisplay : IDisposable
{
    private readonly TimeSpan interval;
    private readonly Dictionary<string, StageClock> clocks = [];
    private DateTime lastLine = DateTime.MinValue;
    private string initial = "random weights"; // of stages that start from no other

    protected RunDisplay(TimeSpan interval) => this.interval = interval;

    public static RunDisplay Create(bool json, TimeSpan interval) =>
        json ? new JsonRunDisplay()
        : AnsiConsole.Profile.Capabilities.Interactive && !Console.IsOutputRedirected ? new TerminalRunDisplay(interval)
        : new PlainRunDisplay(interval);

    /// <summary>A line for the person who watches.</summary>
    public abstract void Say(string message);

    /// <summary>A result: the table on a terminal or in a pipe, the report for a script.</summary>
    public abstract void Result(Evaluation.RunReport report, IReadOnlyList<string> notes);

    public virtual void Begin(string runId, Recipe recipe, bool resumed, string folder)
    {
        initial = recipe.Model.Path ?? initial;
        Say($"{(resumed ? "resuming" : "starting")} run '{runId}' of recipe '{recipe.Name}', seed {recipe.Seed}, in {Path.GetRelativePath(Environment.CurrentDirectory, folder)}");
    }

    public virtual void Show(IRunProgress progress)
    {
        switch (progress)
        {
            case StageOpened opened:
                clocks[opened.Stage] = new StageClock(opened.Step, opened.Steps);
                Say($"stage {opened.Stage}: {opened.Steps} steps"
                    + (opened.Step > 0 ? $", from step {opened.Step}" : opened.Checkpoint is { } from ? $", from the weights of {from.Stage}" : $", from {initial}")
                    + (opened.Replaying > 0 ? $", replaying {opened.Replaying} journaled steps" : ""));
                break;
            case StepProgress step:
                var left = Clock(step).Left(step.Applied.Step);
                StepDone(step, left);
                if (DateTime.UtcNow - lastLine >= interval || step.Applied.Step == step.Steps)
                {
                    lastLine = DateTime.UtcNow;
                    var values = StepMetrics.AllOf(step.Applied, step.Timings, []);
                    Say(StepLine.Format(step.Applied.Stage, step.Applied.Step, step.Steps, values, left) + (step.Replayed ? " | replayed" : ""));
                }
                break;
            case EvaluationProgress { Evaluated: var e } evaluation:
                Say($"{(e.Compared ? "compare" : "evaluate")} {Evaluation.StageReport.TitleOf(e.Stage)}{(e.Compared ? "" : $" step {e.Step}")}"
                    + FormattableString.Invariant($" | think {e.Result.ThinkAccuracy:F3} | no-think {e.Result.NothinkAccuracy:F3} | thought {e.Result.ThoughtLength:F1} tok | {evaluation.Seconds:F1} s"));
                break;
            case CheckpointProgress { Committed: var c } when c.Step > 0:
                CheckpointDone(c.Stage, c.Step);
                break;
            case RunNotice notice:
                Say($"notice: {notice.Message}");
                break;
        }
    }

    protected virtual void StepDone(StepProgress step, TimeSpan? left)
    {
    }

    protected virtual void CheckpointDone(string stage, long step)
    {
    }

    public virtual void Dispose()
    {
    }

    private StageClock Clock(StepProgress step) =>
        clocks.TryGetValue(step.Applied.Stage, out var clock) ? clock : clocks[step.Applied.Stage] = new StageClock(step.Applied.Step - 1, step.Steps);

    /// <summary>Time left in a stage, from the pace since it was opened.</summary>
    private sealed class StageClock(long from, long steps)
    {
        private readonly DateTime begun = DateTime.UtcNow;

        public TimeSpan? Left(long step) => step - from < 2 ? null : (DateTime.UtcNow - begun) / (step - from) * (steps - step);
    }
}

/// <summary>One line per message.</summary>
internal sealed class PlainRunDisplay(TimeSpan interval) : RunDisplay(interval)
{
    public override void Say(string message) => Console.WriteLine(message);

    public override void Result(Evaluation.RunReport report, IReadOnlyList<string> notes)
    {
        Console.WriteLine();
        Console.WriteLine(Evaluation.ComparisonTable.Text(report));
        foreach (var note in notes) Console.WriteLine(note);
    }
}

/// <summary>JSON lines on standard output, what a person should know on standard error.</summary>
internal sealed class JsonRunDisplay() : RunDisplay(TimeSpan.MaxValue)
{
    public override void Say(string message) => Console.Error.WriteLine(message);

    public override void Show(IRunProgress progress)
    {
        if (progress is StepProgress step)
        {
            var values = StepMetrics.AllOf(step.Applied, step.Timings, []);
            Console.WriteLine(new MetricLine(step.Applied.Stage, step.Applied.Step, values).ToJson());
        }
        else
        {
            base.Show(progress);
        }
    }

    public override void Result(Evaluation.RunReport report, IReadOnlyList<string> notes) => Console.WriteLine(report.ToJson());
}

/// <summary>Lines that scroll, and under them a bar with the stage's share and time left.</summary>
internal sealed class TerminalRunDisplay : RunDisplay
{
    private readonly TaskCompletionSource finished = new();
    private readonly Dictionary<string, ProgressTask> bars = [];
    private readonly Task showing;
    private ProgressContext context = null!;

    public TerminalRunDisplay(TimeSpan interval)
        : base(interval)
    {
        var ready = new TaskCompletionSource();
        showing = AnsiConsole.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async started =>
            {
                context = started;
                ready.SetResult();
                await finished.Task;
            });
        ready.Task.Wait();
    }

    public override void Say(string message) => AnsiConsole.WriteLine(message);

    protected override void StepDone(StepProgress step, TimeSpan? left)
    {
        var stage = step.Applied.Stage;
        if (!bars.TryGetValue(stage, out var bar)) bars[stage] = bar = context.AddTask(stage, maxValue: step.Steps);
        bar.Value = step.Applied.Step;
        if (step.Applied.RewardMean is { } gain) bar.Description = FormattableString.Invariant($"{stage}  info gain {gain:F2}");
        else bar.Description = FormattableString.Invariant($"{stage}  loss {step.Applied.Loss:F3}");
    }

    public override void Result(Evaluation.RunReport report, IReadOnlyList<string> notes)
    {
        End();
        var table = new Table().Border(TableBorder.Rounded);
        for (var column = 0; column < Evaluation.ComparisonTable.Headers.Count; column++)
        {
            var header = new TableColumn(Evaluation.ComparisonTable.Headers[column]);
            table.AddColumn(column == 0 ? header : header.RightAligned());
        }
        foreach (var row in Evaluation.ComparisonTable.Rows(report)) table.AddRow([.. row.Select(Markup.Escape)]);
        AnsiConsole.Write(table);
        foreach (var note in notes) AnsiConsole.WriteLine(note);
    }

    public override void Dispose() => End();

    private void End()
    {
        finished.TrySetResult();
        showing.Wait();
    }
}
