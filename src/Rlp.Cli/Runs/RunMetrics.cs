using Rlp.Cli.Telemetry;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Runs;

/// <summary>
/// Writes a run's metrics as they come: metrics.jsonl and TensorBoard events, one record per applied step. An evaluation belongs to the step
/// before it, so a step's record is written when the next message shows that it is whole. What a crash left out is taken from the journal,
/// which has all values but the wall-clock ones.
/// </summary>
internal sealed class RunMetrics : IDisposable
{
    public const string FileName = "metrics.jsonl";

    private readonly string folder;
    private readonly MetricsFile file;
    private readonly Dictionary<string, TensorBoardFile> boards = [];
    private readonly Dictionary<string, long> tokens = [];
    private (string Stage, long Step, Dictionary<string, double> Values)? pending;

    private RunMetrics(string folder)
    {
        this.folder = folder;
        file = MetricsFile.Open(Path.Combine(folder, FileName));
    }

    /// <param name="journaled">The run's events so far.</param>
    /// <exception cref="InvalidDataException">The file of an earlier process is not a file of metrics.</exception>
    public static RunMetrics Open(string folder, IReadOnlyList<IRunEvent> journaled)
    {
        var metrics = new RunMetrics(folder);
        foreach (var entry in journaled)
        {
            if (entry is StepApplied applied) metrics.Step(applied, null, []);
            else if (entry is StageEvaluated evaluated) metrics.Evaluation(evaluated);
        }
        metrics.Flush();
        return metrics;
    }

    public void Record(IRunProgress progress)
    {
        RunGauges.Record(progress);
        switch (progress)
        {
            case StepProgress { Replayed: false } step:
                Step(step.Applied, step.Timings, step.Recovery);
                break;
            case EvaluationProgress evaluation:
                Evaluation(evaluation.Evaluated);
                break;
            case StageProgress or RunEnded:
                Flush();
                break;
        }
    }

    /// <summary>Writes the last step.</summary>
    public void Flush()
    {
        if (pending is not { } step) return;
        pending = null;
        file.Append(new MetricLine(step.Stage, step.Step, step.Values));
        if (!boards.TryGetValue(step.Stage, out var board))
            boards[step.Stage] = board = TensorBoardFile.Open(Path.Combine(folder, "tensorboard", step.Stage));
        board.Append(step.Step, step.Values);
    }

    private void Step(StepApplied applied, StepTimings? timings, IEnumerable<KeyValuePair<string, double>> recovery)
    {
        Flush();
        var values = StepMetrics.AllOf(applied, timings, recovery);
        values[MetricNames.NumTokens] = tokens[applied.Stage] = tokens.GetValueOrDefault(applied.Stage) + applied.InputTokens;
        pending = (applied.Stage, applied.Step, values);
    }

    private void Evaluation(StageEvaluated evaluated)
    {
        if (evaluated.Compared || pending is not { } step || step.Stage != evaluated.Stage || step.Step != evaluated.Step) return;
        WireEvaluation result = evaluated.Result;
        step.Values[MetricNames.EvalThinkAccuracy] = result.ThinkAccuracy;
        step.Values[MetricNames.EvalNothinkAccuracy] = result.NothinkAccuracy;
        step.Values[MetricNames.EvalInfoGain] = result.PredictedEvidence - result.NothinkEvidence;
        step.Values[MetricNames.EvalThoughtLength] = result.ThoughtLength;
    }

    public void Dispose()
    {
        Flush();
        foreach (var board in boards.Values) board.Dispose();
        file.Dispose();
    }
}
