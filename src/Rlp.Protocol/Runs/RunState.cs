using System.Collections.Immutable;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Runs;

/// <summary>A step as the journal holds it: what a replay executes and must reproduce. The metrics are dropped.</summary>
public sealed record JournaledStep(StepPlanned Planned, StepApplied Applied);

/// <summary>A step that is planned and not applied, with the groups that were accepted so far.</summary>
public sealed record PlannedStep(StepPlanned Plan, ImmutableDictionary<int, AcceptedGroup> Accepted);

/// <summary>
/// The stage that was started last. <see cref="Planned"/> are the steps after the last applied one, in order: at most the stage's staleness
/// beyond the first. <see cref="Steps"/> are the applied ones that a replay may begin with: those after the older of the stage's last two
/// checkpoints. The <see cref="StepsBefore"/> before them stand in the journal only.
/// </summary>
public sealed record StageState(
    StagePlan Plan,
    WireCheckpoint? StartedFrom,
    WireCursor Cursor,
    long StepsBefore,
    ImmutableList<JournaledStep> Steps,
    ImmutableList<PlannedStep> Planned,
    ImmutableHashSet<long> Evaluated,
    double Seconds,
    bool Completed)
{
    public long Applied => StepsBefore + Steps.Count;

    /// <summary>The applied step; null where it is not applied, or not kept.</summary>
    public JournaledStep? StepAt(long step) => step > StepsBefore && step <= Applied ? Steps[(int)(step - StepsBefore) - 1] : null;

    /// <summary>The journaled plan of a step; null where there is none, or not kept.</summary>
    public StepPlanned? PlanOf(long step) =>
        step <= Applied ? StepAt(step)?.Planned : step - Applied <= Planned.Count ? Planned[(int)(step - Applied) - 1].Plan : null;

    /// <summary>The same without the steps up to this one.</summary>
    internal StageState WithoutStepsTo(long step) => step <= StepsBefore
        ? this
        : this with { StepsBefore = step, Steps = Steps.RemoveRange(0, (int)(step - StepsBefore)) };
}

/// <summary>Where a run stands: a pure function of its journal.</summary>
public sealed record RunState
{
    public static readonly RunState Empty = new();

    public string RunId { get; init; } = "";
    public RunStatus Status { get; init; } = RunStatus.Absent;
    public string RecipeJson { get; init; } = "";
    public string RecipeSha256 { get; init; } = "";
    public long Seed { get; init; }
    public long CreatedUnixMilliseconds { get; init; }
    public RunEnvironment Environment { get; init; } = new();
    public RunPlan Plan { get; init; } = new();

    /// <summary>Where the run was forked from; null where it began as one of its own.</summary>
    public RunLineage? Lineage { get; init; }
    public StageState? Stage { get; init; }

    /// <summary>The committed checkpoints, oldest first; the folders of pruned ones are gone.</summary>
    public ImmutableList<WireCheckpoint> Checkpoints { get; init; } = [];

    public ImmutableHashSet<string> CompletedStages { get; init; } = [];

    /// <summary>Names of the rows of the final comparison that are done.</summary>
    public ImmutableHashSet<string> Compared { get; init; } = [];

    public FailureKind FailureKind { get; init; }
    public string FailureMessage { get; init; } = "";
    public RecoveryTotals Recovery { get; init; } = new();

    /// <summary>The state after one more event.</summary>
    /// <exception cref="InvalidOperationException">The event cannot follow this state: the journal is not this run's, or damaged.</exception>
    public RunState Apply(IRunEvent @event) => Change(@event) with { Recovery = Recovery.Apply(@event) };

    private RunState Change(IRunEvent @event) => @event switch
    {
        RunCreated e => Empty with
        {
            RunId = e.RunId,
            Status = RunStatus.Running,
            RecipeJson = e.RecipeJson,
            RecipeSha256 = e.RecipeSha256,
            Seed = e.Seed,
            CreatedUnixMilliseconds = e.CreatedUnixMilliseconds,
            Environment = e.Environment,
            Plan = e.Plan,
            Lineage = e.Lineage,
        },
        StageStarted e => this with
        {
            Stage = new StageState(
                Plan.Stages.First(s => s.Id == e.Stage), e.From, new WireCursor(), 0, [], [], [], 0, false),
        },
        StepPlanned e => this with { Stage = Open(InStage(e.Stage, e.Step, 1 + (Stage?.Planned.Count ?? 0), e), e) },
        GroupsAccepted e => this with { Stage = Accept(InStage(e.Stage, e.Step, AheadOf(e.Step), e), e) },
        StepApplied e => this with { Stage = Close(InStage(e.Stage, e.Step, 1, e), e) },
        CheckpointCommitted e => (this with { Checkpoints = Checkpoints.Add(new WireCheckpoint { Stage = e.Stage, Step = e.Step, Path = e.Path, Sha256 = e.Sha256 }) })
            .WithoutUnneededSteps(),
        StageEvaluated { Compared: true } e => this with { Compared = Compared.Add(e.Stage) },
        StageEvaluated e => this with { Stage = InStage(e.Stage, e.Step, 0, e) is var s ? s with { Evaluated = s.Evaluated.Add(e.Step) } : null },
        StageCompleted e => this with
        {
            Stage = InStage(e.Stage, Stage?.Applied ?? 0, 0, e) with { Completed = true },
            CompletedStages = CompletedStages.Add(e.Stage),
        },
        RunCancelled => this with { Status = RunStatus.Cancelled },
        RunPaused => this with { Status = RunStatus.Paused },
        RunResumed => this with { Status = RunStatus.Running, FailureKind = FailureKind.None, FailureMessage = "" },
        RunCompleted => this with { Status = RunStatus.Completed },
        RunFailed e => this with { Status = RunStatus.Failed, FailureKind = e.Kind, FailureMessage = e.Message },
        ReplayDiverged or NodeLost or NodeJoined or RunRecovered => this,
        _ => throw new InvalidOperationException($"{@event.GetType().Name} is not an event of a run"),
    };

    /// <summary>The checkpoint of a stage's last step, newest first in doubt; null where the stage has none yet.</summary>
    public WireCheckpoint? FinalCheckpoint(string stage)
    {
        var steps = Plan.Stages.FirstOrDefault(s => s.Id == stage)?.Steps;
        return Checkpoints.FindLast(c => c.Stage == stage && c.Step == steps);
    }

    /// <summary>The checkpoints that a stage can go on from, newest first: older ones than the last two are pruned.</summary>
    public IEnumerable<WireCheckpoint> UsableCheckpoints(string stage) =>
        Checkpoints.Where(c => c.Stage == stage).Reverse().DistinctBy(c => c.Step).OrderByDescending(c => c.Step).Take(2);

    /// <summary>Where a fork's stage goes on from if none of these can be opened; null where the run is none, or was forked in another stage.</summary>
    public WireCheckpoint? ForkPoint(string stage) => Checkpoints.FindLast(c => c.Stage == stage && IsForkPoint(c));

    /// <summary>
    /// The state with all applied steps of the stage in work, as the run's events hold them: for a replay that begins further back than
    /// what is kept, because no checkpoint of the stage could be opened.
    /// </summary>
    public RunState WithAllSteps(IEnumerable<IRunEvent> events)
    {
        if (Stage is not { StepsBefore: > 0 } stage)
            return this;
        var plans = new Dictionary<long, StepPlanned>();
        var steps = ImmutableList.CreateBuilder<JournaledStep>();
        foreach (var e in events)
            if (e is StepPlanned planned && planned.Stage == stage.Plan.Id)
                plans[planned.Step] = planned;
            else if (e is StepApplied applied && applied.Stage == stage.Plan.Id && applied.Step <= stage.StepsBefore && plans.Remove(applied.Step, out var plan))
                steps.Add(new JournaledStep(plan, applied with { Metrics = [] }));
        return steps.Count == stage.StepsBefore
            ? this with { Stage = stage with { StepsBefore = 0, Steps = stage.Steps.InsertRange(0, steps) } }
            : throw new InvalidOperationException($"the journal holds {steps.Count} of the first {stage.StepsBefore} steps of stage '{stage.Plan.Id}'");
    }

    private RunState WithoutUnneededSteps() =>
        Stage is { } stage && UsableCheckpoints(stage.Plan.Id).Skip(1).FirstOrDefault() is { } oldest
            ? this with { Stage = stage.WithoutStepsTo(oldest.Step) }
            : this;

    /// <summary>What a fork began with. Nothing before it is the fork's own, so that it is kept as the weights are that a stage starts from.</summary>
    public bool IsForkPoint(WireCheckpoint checkpoint) => Lineage is { Step: > 0 } lineage && (checkpoint.Stage, checkpoint.Step) == (lineage.Stage, lineage.Step);

    /// <summary>How far the step is ahead of the applied ones where it is planned; else 1, which only the next step is.</summary>
    private int AheadOf(long step) => Stage is { } stage && step > stage.Applied && stage.PlanOf(step) is not null ? (int)(step - stage.Applied) : 1;

    private static StageState Open(StageState stage, StepPlanned e) => stage.Planned.Count <= stage.Plan.Staleness
        ? stage with { Planned = stage.Planned.Add(new PlannedStep(e, ImmutableDictionary<int, AcceptedGroup>.Empty)) }
        : throw new InvalidOperationException(
            $"the journal plans step {e.Step} of stage '{e.Stage}' with {stage.Applied} steps applied, "
                + $"which a staleness of {stage.Plan.Staleness} does not allow");

    /// <summary>Of two lane results for the same group the first is in the journal; a second entry would be a defect of the decider.</summary>
    private static StageState Accept(StageState stage, GroupsAccepted e)
    {
        if (e.Step - stage.Applied > stage.Planned.Count)
            throw new InvalidOperationException($"the journal accepts groups of step {e.Step} of stage '{e.Stage}', which it did not plan");
        var index = (int)(e.Step - stage.Applied) - 1;
        var step = stage.Planned[index];
        if (e.Groups.FirstOrDefault(g => step.Accepted.ContainsKey(g.Group)) is { } twice)
            throw new InvalidOperationException($"the journal accepts group {twice.Group} of stage '{e.Stage}' step {e.Step} twice");
        var accepted = step.Accepted.AddRange(e.Groups.Select(g => KeyValuePair.Create(g.Group, g)));
        return stage with { Planned = stage.Planned.SetItem(index, step with { Accepted = accepted }) };
    }

    private static StageState Close(StageState stage, StepApplied e)
    {
        if (stage.Planned.IsEmpty)
            throw new InvalidOperationException($"the journal applies step {e.Step} of stage '{e.Stage}', which it did not plan");
        var step = stage.Planned[0];
        var missing = step.Plan.Lanes.SelectMany(l => l.Groups).Where(g => !step.Accepted.ContainsKey(g)).ToArray();
        if (missing.Length > 0)
            throw new InvalidOperationException($"the journal applies step {e.Step} of stage '{e.Stage}' without its group {missing[0]}");
        return stage with
        {
            Steps = stage.Steps.Add(new JournaledStep(step.Plan, e with { Metrics = [] })),
            Cursor = step.Plan.CursorTo,
            Planned = stage.Planned.RemoveAt(0),
            Seconds = stage.Seconds + e.Seconds,
        };
    }

    private StageState InStage(string stage, long step, int ahead, IRunEvent @event) => Stage is { } current && current.Plan.Id == stage && current.Applied + ahead == step
        ? current
        : throw new InvalidOperationException(
            $"{@event.GetType().Name} of stage '{stage}' step {step} cannot follow stage '{Stage?.Plan.Id}' with {Stage?.Applied ?? 0} steps applied");
}
