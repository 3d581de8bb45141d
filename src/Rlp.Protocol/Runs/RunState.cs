using System.Collections.Immutable;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Runs;

/// <summary>A step as the journal holds it: what a replay executes and must reproduce. The metrics are dropped.</summary>
public sealed record JournaledStep(StepPlanned Planned, StepApplied Applied);

/// <summary>The stage that was started last. <see cref="Open"/> is planned and not applied; <see cref="Accepted"/> are its groups so far.</summary>
public sealed record StageState(
    StagePlan Plan,
    WireCheckpoint? StartedFrom,
    WireCursor Cursor,
    ImmutableList<JournaledStep> Steps,
    StepPlanned? Open,
    ImmutableDictionary<int, AcceptedGroup> Accepted,
    ImmutableHashSet<long> Evaluated,
    double Seconds,
    bool Completed)
{
    public long Applied => Steps.Count;
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
    public StageState? Stage { get; init; }

    /// <summary>The committed checkpoints, oldest first; the folders of pruned ones are gone.</summary>
    public ImmutableList<WireCheckpoint> Checkpoints { get; init; } = [];

    public ImmutableHashSet<string> CompletedStages { get; init; } = [];

    /// <summary>Names of the rows of the final comparison that are done.</summary>
    public ImmutableHashSet<string> Compared { get; init; } = [];

    public FailureKind FailureKind { get; init; }
    public string FailureMessage { get; init; } = "";

    /// <summary>The state after one more event.</summary>
    /// <exception cref="InvalidOperationException">The event cannot follow this state: the journal is not this run's, or damaged.</exception>
    public RunState Apply(IRunEvent @event) => @event switch
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
        },
        StageStarted e => this with
        {
            Stage = new StageState(
                Plan.Stages.First(s => s.Id == e.Stage), e.From, new WireCursor(), [], null, ImmutableDictionary<int, AcceptedGroup>.Empty, [], 0, false),
        },
        StepPlanned e => this with { Stage = InStage(e.Stage, e.Step, 1, e) with { Open = e } },
        GroupsAccepted e => this with { Stage = Accept(InStage(e.Stage, e.Step, 1, e), e) },
        StepApplied e => this with { Stage = Close(InStage(e.Stage, e.Step, 1, e), e) },
        CheckpointCommitted e => this with { Checkpoints = Checkpoints.Add(new WireCheckpoint { Stage = e.Stage, Step = e.Step, Path = e.Path, Sha256 = e.Sha256 }) },
        StageEvaluated { Compared: true } e => this with { Compared = Compared.Add(e.Stage) },
        StageEvaluated e => this with { Stage = InStage(e.Stage, e.Step, 0, e) is var s ? s with { Evaluated = s.Evaluated.Add(e.Step) } : null },
        StageCompleted e => this with
        {
            Stage = InStage(e.Stage, Stage?.Applied ?? 0, 0, e) with { Completed = true },
            CompletedStages = CompletedStages.Add(e.Stage),
        },
        RunPaused => this with { Status = RunStatus.Paused },
        RunResumed => this with { Status = RunStatus.Running, FailureKind = FailureKind.None, FailureMessage = "" },
        RunCompleted => this with { Status = RunStatus.Completed },
        RunFailed e => this with { Status = RunStatus.Failed, FailureKind = e.Kind, FailureMessage = e.Message },
        ReplayDiverged => this,
        _ => throw new InvalidOperationException($"{@event.GetType().Name} is not an event of a run"),
    };

    /// <summary>The checkpoint of a stage's last step, newest first in doubt; null where the stage has none yet.</summary>
    public WireCheckpoint? FinalCheckpoint(string stage)
    {
        var steps = Plan.Stages.FirstOrDefault(s => s.Id == stage)?.Steps;
        return Checkpoints.FindLast(c => c.Stage == stage && c.Step == steps);
    }

    /// <summary>Of two lane results for the same group the first is in the journal; a second entry would be a defect of the decider.</summary>
    private static StageState Accept(StageState stage, GroupsAccepted e)
    {
        if (e.Groups.FirstOrDefault(g => stage.Accepted.ContainsKey(g.Group)) is { } twice)
            throw new InvalidOperationException($"the journal accepts group {twice.Group} of stage '{e.Stage}' step {e.Step} twice");
        return stage with { Accepted = stage.Accepted.AddRange(e.Groups.Select(g => KeyValuePair.Create(g.Group, g))) };
    }

    private static StageState Close(StageState stage, StepApplied e)
    {
        var open = stage.Open ?? throw new InvalidOperationException($"the journal applies step {e.Step} of stage '{e.Stage}', which it did not plan");
        var missing = open.Lanes.SelectMany(l => l.Groups).Where(g => !stage.Accepted.ContainsKey(g)).ToArray();
        if (missing.Length > 0)
            throw new InvalidOperationException($"the journal applies step {e.Step} of stage '{e.Stage}' without its group {missing[0]}");
        return stage with
        {
            Steps = stage.Steps.Add(new JournaledStep(open, e with { Metrics = [] })),
            Cursor = open.CursorTo,
            Open = null,
            Accepted = ImmutableDictionary<int, AcceptedGroup>.Empty,
            Seconds = stage.Seconds + e.Seconds,
        };
    }

    private StageState InStage(string stage, long step, int ahead, IRunEvent @event) => Stage is { } current && current.Plan.Id == stage && current.Applied + ahead == step
        ? current
        : throw new InvalidOperationException(
            $"{@event.GetType().Name} of stage '{stage}' step {step} cannot follow stage '{Stage?.Plan.Id}' with {Stage?.Applied ?? 0} steps applied");
}
