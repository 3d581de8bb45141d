using System.Runtime.CompilerServices;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles.Palettes;

internal static class RunPalette
{
    public static Palette Create() => new("run", "Runs: where they stand, what happened to them, and their control.",
    [
        new("list", "every run with its status, stage and step", [Status], "run list -s running", List),
        new("show", "one run: status, stages, who works for it, what losses have cost it", [CommonArguments.Run], "run show -r arithmetic-1", Show),
        new("events", "the newest events of a run's journal", [CommonArguments.Run, CommonArguments.Stage, Step, Type, CommonArguments.Last(20, "how many of the newest")],
            "run events -r arithmetic-1 -t checkpoint-committed", Events),
        new("steps", "the newest applied steps of a run with their figures", [CommonArguments.Run, CommonArguments.Stage, CommonArguments.Last(20, "how many of the newest")],
            "run steps -r arithmetic-1 -s rlp -l 5", Steps),
        new("pause", "stops a run after its current engine call and a checkpoint", [CommonArguments.Run], "run pause -r arithmetic-1", Pause),
        new("resume", "goes on with a run that was paused or has failed", [CommonArguments.Run], "run resume -r arithmetic-1", Resume),
        new("cancel", "ends a run for good, without a checkpoint; what it has committed stays", [CommonArguments.Run], "run cancel -r arithmetic-1", Cancel),
        new("verify", "executes steps of a run again on this node's machine, beside its work, and compares every digest with the journal",
            [CommonArguments.Run, CommonArguments.Stage, From, To], "run verify -r arithmetic-1 -s rlp -f 150", Verify),
        new("fork", "starts a new run, paused, from the state of another one after a step", [CommonArguments.Run, AtStep, NewRun, CommonArguments.Stage, Set],
            "run fork -r arithmetic-1 -a 100 -i longer -o rlp.steps=400", Fork),
    ]);

    private static readonly Argument Status =
        new Argument("status", "-s", "only runs of this status").OneOf([.. Enum.GetValues<RunStatus>().Where(s => s != RunStatus.Absent).Select(Named)]);

    private static readonly Argument Step = new Argument("step", "-n", "only events of this step").Whole(0);
    private static readonly Argument Type = new Argument("type", "-t", "only events of this type").OneOf([.. EventText.Types]);
    private static readonly Argument From = new Argument("from-step", "-f", "first step; default: the stage's first").Whole(1);
    private static readonly Argument To = new Argument("to-step", "-t", "last step; default: the last applied one").Whole(1);
    private static readonly Argument AtStep = new Argument("at-step", "-a", "the last step that the two share; 0 begins the stage anew") { Mandatory = true }.Whole(0);
    private static readonly Argument NewRun = CommonArguments.Run with { Name = "run-id", Switch = "-i", Description = "id of the new run" };
    private static readonly Argument Set = new("set", "-o", "overrides one key of the recipe from there on: rlp.steps=400") { AllowMultiple = true };

    private static string Named(RunStatus status) => status.ToString().ToLowerInvariant();

    private static async IAsyncEnumerable<AnswerLine> List(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var runs = await cluster.RunsAsync(cancellation);
        yield return new ColumnsLine(["run", "status", "stage", "step", "node", "failure"]);
        foreach (var run in runs.Where(r => arguments["status"] is not { } wanted || Named(r.Status) == wanted))
            yield return new RowLine(
            [
                run.RunId, Named(run.Status), Texts.Of(run.Stage), run.Stage.Length == 0 ? Texts.None : $"{run.Step}/{run.Steps}",
                Texts.Of(run.Status == RunStatus.Running ? run.Node : null), Texts.Of(run.FailureMessage),
            ]);
    }

    private static async IAsyncEnumerable<AnswerLine> Show(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var run = await cluster.RunAsync(id, cancellation);
        var state = cluster.State(id);
        yield return new ColumnsLine(["", "value"]);
        yield return Field("run", run.Run);
        yield return Field("recipe", $"{run.Recipe}, seed {run.Seed}, digest {Short(run.RecipeSha256)}");
        yield return Field("status", run.Failure is null ? run.Status : $"{run.Status}: {run.Failure}");
        yield return Field("created", Texts.Of(run.Created));
        if (run.Lineage is { } lineage) yield return Field("forked", $"from '{lineage.RunId}' after step {lineage.Step} of stage {lineage.Stage}");
        if (run.Status == Named(RunStatus.Running))
        {
            yield return Field("doing", run.Doing ?? (run.Node is null ? "its entity does not answer; the journal says this much" : Texts.None));
            yield return Field("entity", run.Node is null ? Texts.None : $"on {run.Node}");
        }
        yield return new ColumnsLine(["stage", "steps", "state", "newest checkpoint"]);
        foreach (var stage in state.Plan.Stages)
        {
            var complete = state.CompletedStages.Contains(stage.Id);
            var begun = state.Stage?.Plan.Id == stage.Id;
            yield return new RowLine(
            [
                stage.Id, $"{(complete ? stage.Steps : begun ? state.Stage!.Applied : 0)}/{stage.Steps}", complete ? "complete" : begun ? "in work" : "not begun",
                state.Checkpoints.FindLast(c => c.Stage == stage.Id) is { } checkpoint ? $"step {checkpoint.Step}" : Texts.None,
            ]);
        }
        if (run.Workers.Count > 0)
        {
            yield return new ColumnsLine(["works for it", "on node"]);
            foreach (var seat in run.Workers) yield return new RowLine([seat.Role == "lane" ? $"lane {seat.Lane}" : seat.Role, seat.Node]);
        }
        if (state.Recovery.Recoveries > 0)
        {
            yield return new ColumnsLine(["what losses cost", "value"]);
            foreach (var (name, value) in run.Recovery) yield return new RowLine([name, Texts.Of(value)]);
        }
    }

    private static RowLine Field(string name, string value) => new([name, value]);

    private static string Short(string digest) => digest.Length > 12 ? digest[..12] : digest;

    private static async IAsyncEnumerable<AnswerLine> Events(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var stage = Known.OfStage(arguments["stage"], id, cluster.State(id));
        var (step, type) = (arguments.Number("step"), arguments["type"]);
        var found = cluster.Events(id).Where(e =>
            (type is null || EventText.TypeOf(e) == type) && (stage is null || EventText.StageOf(e) == stage) && (step is null || EventText.StepOf(e) == step));
        yield return new ColumnsLine(["number", "at", "type", "what"]);
        foreach (var e in found.TakeLast(arguments.Last())) yield return new RowLine([Texts.Of(e.Number), Texts.Of(e.At), EventText.TypeOf(e), EventText.Members(e)]);
    }

    private static async IAsyncEnumerable<AnswerLine> Steps(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var stage = Known.OfStage(arguments["stage"], id, cluster.State(id));
        yield return new ColumnsLine(["stage", "step", "loss", "info gain", "grad norm", "seconds", "tokens/s", "parameters"]);
        foreach (var s in cluster.Events(id).Select(e => e.Event).OfType<StepApplied>().Where(s => stage is null || s.Stage == stage).TakeLast(arguments.Last()))
            yield return new RowLine(
            [
                s.Stage, Texts.Of(s.Step), Texts.Of(s.Loss), Texts.Of(s.RewardMean), Texts.Of(s.GradNorm), Texts.Of(s.Seconds),
                s.Seconds > 0 ? Texts.Of(s.InputTokens / s.Seconds) : Texts.None, Short(s.ParametersSha256),
            ]);
    }

    private static async IAsyncEnumerable<AnswerLine> Pause(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        if (cluster.State(id).Status != RunStatus.Running)
            throw new CommandFailedException($"run '{id}' is {Named(cluster.State(id).Status)}; only a running one can be paused");
        yield return new TextLine($"run '{id}' stops after its current engine call and a checkpoint");
        var stopped = await cluster.PauseAsync(id, cancellation);
        yield return new TextLine($"run '{id}' is {Named(stopped.Status)}, {(stopped.Checkpoint is { } c ? $"its newest checkpoint is of step {c.Step} of stage {c.Stage}" : "without a checkpoint yet")}");
    }

    private static async IAsyncEnumerable<AnswerLine> Resume(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var was = cluster.State(id).Status;
        if (was is RunStatus.Completed or RunStatus.Cancelled)
            throw new CommandFailedException($"run '{id}' is {Named(was)}; 'run fork' begins another one where it stood");
        await cluster.ResumeAsync(id, cancellation);
        yield return new TextLine($"run '{id}' goes on");
    }

    private static async IAsyncEnumerable<AnswerLine> Cancel(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        if (cluster.State(id).Status is var status and (RunStatus.Completed or RunStatus.Cancelled))
            throw new CommandFailedException($"run '{id}' is {Named(status)} already");
        await cluster.CancelAsync(id, cancellation);
        yield return new TextLine($"run '{id}' is cancelled; what it has committed stays, 'run fork' can go on from there");
    }

    private static async IAsyncEnumerable<AnswerLine> Verify(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var stage = Known.OfStage(arguments["stage"], id, cluster.State(id));
        await foreach (var line in cluster.RunsCommandAsync(["verify", id, "--each", .. Option("--stage", stage), .. Given(arguments, From), .. Given(arguments, To)], cancellation))
            yield return new TextLine(line);
    }

    private static async IAsyncEnumerable<AnswerLine> Fork(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var stage = Known.OfStage(arguments["stage"], id, cluster.State(id));
        string[] words =
        [
            "fork", id, .. Given(arguments, AtStep), .. Given(arguments, NewRun), .. Option("--stage", stage), .. arguments.All(Set.Name).SelectMany(set => Option("--set", set)),
        ];
        await foreach (var line in cluster.RunsCommandAsync(words, cancellation)) yield return new TextLine(line);
        yield return new TextLine($"in this cluster: run resume -r {arguments.Text(NewRun.Name)}");
    }

    private static string[] Given(Arguments arguments, Argument argument) => Option($"--{argument.Name}", arguments[argument.Name]);

    private static string[] Option(string name, string? value) => value is null ? [] : [name, value];
}
