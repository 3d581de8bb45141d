using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;

namespace Rlp.Protocol.Runs;

/// <summary>What became of a lane's delivery.</summary>
public enum LaneOutcome
{
    /// <summary>New: its groups are to be journaled.</summary>
    Accepted,

    /// <summary>The journal holds its groups already, with the same digests: the payload is taken, nothing is journaled again.</summary>
    Reproduced,

    /// <summary>Delivered before; dropped.</summary>
    Duplicate,

    /// <summary>Not of the step in work, or not the groups of its lane; dropped.</summary>
    Refused,

    /// <summary>The journal holds its groups with other digests.</summary>
    Diverged,
}

/// <summary>The events to journal (in one transaction) and the execution once they are durable.</summary>
public sealed record LaneDecision(LaneOutcome Outcome, IReadOnlyList<IRunEvent> Events, Execution Execution, string Reason = "");

/// <summary>The finished step; <see cref="Replayed"/> where the journal held it already, and then no event repeats it.</summary>
public sealed record StepDecision(IReadOnlyList<IRunEvent> Events, Execution Execution, StepApplied Applied, bool Replayed);

/// <summary>Every decision of a run, as pure functions of its journal's state and what its process holds.</summary>
public static class RunDecisions
{
    private static readonly RunAction Wait = new RunAction.Wait();

    /// <summary>What the run does next. Asked again whenever the answer to the action before it is in.</summary>
    public static RunAction Next(RunState state, Execution execution)
    {
        if (state.Status != RunStatus.Running)
            return Wait;
        if (execution is { StopReason: not null, Learned: null })
            return Stop(state, execution);
        if (state.Stage is not { Completed: false } stage)
            return BetweenStages(state, execution);
        if (execution.Stage != stage.Plan.Id || execution.Comparing)
            return OpenFrom(state, execution, stage);
        if (execution is { Moving: true, Learned: null })
            return OwedCheckpoint(state, execution, stage) ?? OpenFrom(state, execution, stage);
        if (MissingRole(execution, RolesOf(stage.Plan)) is { } role)
            return new RunAction.Open(role);
        if (execution.EngineStep < stage.Applied)
            return Work(state, execution, stage.Plan, stage.PlanOf(execution.EngineStep + 1)!);
        if (CheckpointDue(stage) && !HasCheckpoint(state, execution, stage))
            return new RunAction.CommitCheckpoint(stage.Applied, stage.Cursor);
        if (EvaluationDue(stage))
            return new RunAction.Evaluate(stage.Plan.Id, stage.Applied, stage.Plan.EvaluateProblems, Compared: false);
        if (stage.Applied == stage.Plan.Steps)
            return new RunAction.Journal(new StageCompleted { RunId = state.RunId, Stage = stage.Plan.Id, Seconds = stage.Seconds });
        if (stage.PlanOf(stage.Applied + 1) is { } open)
            return Work(state, execution, stage.Plan, open);
        return execution.DataAt(stage.Cursor) is { } data ? new RunAction.Journal(Plan(state.RunId, stage, data)) : new RunAction.Load(stage.Cursor);
    }

    /// <summary>
    /// What may be done beside the action that <see cref="Next"/> names, in this order: the lanes of the steps after the one in work whose
    /// policy the engines hold, the plan of one more such step, and the loading of the data that comes next. None of it decides a number:
    /// which policy samples a step is part of its plan.
    /// </summary>
    public static IReadOnlyList<RunAction> Ahead(RunState state, Execution execution)
    {
        if (state is not { Status: RunStatus.Running, Stage: { Completed: false } stage } || execution.StopReason is not null)
            return [];
        var reach = StepsInReach(stage, execution).ToArray();
        if (reach.Length == 0)
            return [];
        var actions = new List<RunAction>();
        if (MissingRole(execution, [Role.Rollout, Role.Reward]) is null)
            foreach (var step in reach[1..])
                if (execution.DataAt(step.CursorFrom)?.To == step.CursorTo && MissingLanes(execution, step) is { Length: > 0 } missing)
                    actions.Add(new RunAction.ExecuteLanes(step, missing));
        if (PlanAhead(state, execution) is { } planned)
            actions.Add(new RunAction.Journal(planned));
        if (execution.Open.Contains(Role.Data) && UnloadedCursor(stage, execution, reach) is { } cursor)
            actions.Add(new RunAction.Load(cursor));
        return actions;
    }

    /// <summary>Takes a lane's delivery: each group once, whatever arrives twice, late or out of turn.</summary>
    public static LaneDecision Accept(RunState state, Execution execution, LaneCompleted result)
    {
        if (state is not { Status: RunStatus.Running, Stage: { Completed: false } stage } || StepsInReach(stage, execution).ToArray() is not { Length: > 0 } reach)
            return Refused($"the run is {state.Status} and has no step in work");
        if (result.Stage != stage.Plan.Id || Array.Find(reach, s => s.Step == result.Step && s.PolicyVersion == result.PolicyVersion) is not { } step)
        {
            var steps = string.Join(", ", reach.Select(s => $"step {s.Step} of policy {s.PolicyVersion}"));
            return Refused($"stage '{stage.Plan.Id}' {steps} is in work, not '{result.Stage}' {result.Step} of {result.PolicyVersion}");
        }
        if (step.Lanes.FirstOrDefault(l => l.Lane == result.Lane) is not { } lane)
            return Refused($"step {step.Step} has no lane {result.Lane}");
        if (!lane.Groups.Order().SequenceEqual(result.Groups.Select(g => g.Position.Group).Order()))
            return Refused($"lane {result.Lane} of step {step.Step} holds other groups than [{string.Join(", ", lane.Groups)}]");
        if (execution.Lanes.ContainsKey((step.Step, result.Lane)))
            return new LaneDecision(LaneOutcome.Duplicate, [], execution, $"lane {result.Lane} of step {step.Step} is in already");

        var taken = execution with { Lanes = execution.Lanes.Add((step.Step, result.Lane), result) };
        if (step.Step <= stage.Applied)
            return new LaneDecision(LaneOutcome.Reproduced, [], taken); // the step's own digest is compared when it is finished
        var groups = result.Groups.Select(Accepted).ToArray();
        var before = stage.Planned[(int)(step.Step - stage.Applied) - 1].Accepted;
        var journaled = groups.Where(g => before.ContainsKey(g.Group)).ToArray();
        foreach (var group in journaled)
            if (Reproduction.Divergences(before[group.Group], group).FirstOrDefault() is { } difference)
                return new LaneDecision(LaneOutcome.Diverged, Diverged(state, step.Step, difference), execution);
        if (journaled.Length == groups.Length)
            return new LaneDecision(LaneOutcome.Reproduced, [], taken);
        var accepted = new GroupsAccepted
        {
            RunId = state.RunId,
            Stage = stage.Plan.Id,
            Step = step.Step,
            Lane = result.Lane,
            Groups = [.. groups.Where(g => !before.ContainsKey(g.Group))],
        };
        return new LaneDecision(LaneOutcome.Accepted, [accepted], taken);

        LaneDecision Refused(string reason) => new(LaneOutcome.Refused, [], execution, reason);
    }

    /// <summary>
    /// Ends the step that learner (and teacher) have done. A live step is journaled, together with the plan of the one after it where that
    /// needs nothing else first: one transaction a step. A replayed step is compared with the journal instead. The digest is over the
    /// thoughts of all groups (null for next-token prediction); seconds are the wall-clock time of the step.
    /// </summary>
    public static StepDecision Finish(RunState state, Execution execution, string? thoughtsSha256, double seconds)
    {
        var stage = state.Stage!;
        var step = StepInWork(stage, execution)!;
        var learned = execution.Learned!;
        var applied = new StepApplied
        {
            RunId = state.RunId,
            Stage = stage.Plan.Id,
            Step = step.Step,
            PolicyVersion = learned.PolicyVersion,
            Loss = learned.Loss,
            GradNorm = learned.GradNorm,
            RewardMean = stage.Plan.Rlp ? AcceptedInOrder(state, execution).SelectMany(g => g.Rewards).DefaultIfEmpty(0).Average() : null,
            ParametersSha256 = learned.ParametersSha256,
            ThoughtsSha256 = thoughtsSha256,
            Metrics = learned.Metrics,
            InputTokens = learned.InputTokens,
            Flops = learned.Flops,
            Seconds = seconds,
        };
        var after = execution with
        {
            EngineStep = step.Step,
            Data = execution.Data.RemoveAll(d => d.From == step.CursorFrom),
            Lanes = execution.Lanes.RemoveRange(execution.Lanes.Keys.Where(k => k.Step == step.Step)),
            Learned = null,
            TeacherUpdated = false,
        };
        if (step.Step <= stage.Applied)
        {
            return Reproduction.Divergences(stage.StepAt(step.Step)!.Applied, applied).FirstOrDefault() is { } difference
                ? new StepDecision(Diverged(state, step.Step, difference), execution, applied, Replayed: true)
                : new StepDecision([], after, applied, Replayed: true);
        }
        var next = state.Apply(applied);
        return (Next(next, after) is RunAction.Journal { Events: [StepPlanned first] } ? first : PlanAhead(next, after)) is { } planned
            ? new StepDecision([applied, planned], after, applied, Replayed: false)
            : new StepDecision([applied], after, applied, Replayed: false);
    }

    /// <summary>
    /// The execution after an engine was lost. Learner and teacher hold what cannot be computed again from the other engines: without one
    /// of them the stage opens again from its checkpoint and replays.
    /// </summary>
    public static Execution WithoutEngine(Execution execution, Role role) =>
        role is Role.Learner or Role.Ema ? execution.WithoutEngines() : execution with { Open = execution.Open.Remove(role) };

    /// <summary>The step that is executed: one that the journal holds and the engines do not, else the planned one; null where none is.</summary>
    public static StepPlanned? StepInWork(StageState stage, Execution execution) => StepsInReach(stage, execution).FirstOrDefault();

    /// <summary>
    /// The journaled steps that may be sampled, in order: the one in work and as many after it as the stage's staleness allows, all of policies
    /// that the engines hold.
    /// </summary>
    public static IEnumerable<StepPlanned> StepsInReach(StageState stage, Execution execution)
    {
        if (execution.Stage != stage.Plan.Id || execution.Comparing)
            yield break;
        for (var step = execution.EngineStep + 1; step <= execution.EngineStep + 1 + stage.Plan.Staleness; step++)
            if (stage.PlanOf(step) is { } planned)
                yield return planned;
    }

    /// <summary>The scored groups of the step in work in the order of their ids: the order in which the learner sums.</summary>
    public static IEnumerable<WireGroup> GroupsInOrder(Execution execution) =>
        LanesInWork(execution).SelectMany(l => l.Groups).OrderBy(g => g.Position.Group);

    /// <summary>
    /// The same groups as the journal knows them. Those of a live step are durable before it is learned, so that its end needs no thought of it;
    /// of a step that is replayed the journal's were dropped, and the lanes' results are all there.
    /// </summary>
    public static IEnumerable<AcceptedGroup> AcceptedInOrder(RunState state, Execution execution) =>
        state.Stage is { Planned: [var live, ..] } stage && execution.EngineStep == stage.Applied
            ? live.Accepted.Values.OrderBy(g => g.Group)
            : GroupsInOrder(execution).Select(Accepted);

    /// <summary>
    /// The execution that goes on with a learner and a teacher which another run entity opened: where they hold what is journaled, or one step
    /// more whose groups are all journaled. Null where they do not: then the stage opens from its checkpoint.
    /// </summary>
    public static Execution? Adopt(RunState state, EngineDescribed learner, EngineDescribed? teacher)
    {
        if (state is not { Status: RunStatus.Running, Stage: { Completed: false } stage } || learner.Stage != stage.Plan.Id)
            return null;
        if (stage.Plan.Rlp && (teacher is null || teacher.Stage != learner.Stage || teacher.Opening != learner.Opening))
            return null;
        var ahead = learner.Step - stage.Applied;
        var teacherAhead = stage.Plan.Rlp ? teacher!.Step - stage.Applied : ahead;
        if (ahead is not (0 or 1) || teacherAhead < 0 || teacherAhead > ahead)
            return null;
        if (ahead == 1 && (learner.Learned?.Step != learner.Step || stage.Planned is not [var planned, ..] || !IsAccepted(planned)))
            return null;
        var published = Execution.Nothing.WithPublished(learner.Published, learner.Older, stage.Plan.Staleness);
        return published.WithPublished(teacher?.Published, teacher?.Older ?? [], stage.Plan.Staleness) with
        {
            Stage = stage.Plan.Id,
            Opening = learner.Opening,
            Open = stage.Plan.Rlp ? [Role.Learner, Role.Ema] : [Role.Learner],
            EngineStep = stage.Applied,
            Learned = ahead == 1 ? learner.Learned : null,
            TeacherUpdated = ahead == 1 && stage.Plan.Rlp && teacherAhead == 1,
        };

        static bool IsAccepted(PlannedStep step) => step.Plan.Lanes.SelectMany(l => l.Groups).All(step.Accepted.ContainsKey);
    }

    /// <summary>The results of the lanes of the step in work.</summary>
    public static IEnumerable<LaneCompleted> LanesInWork(Execution execution) =>
        execution.Lanes.Where(l => l.Key.Step == execution.EngineStep + 1).Select(l => l.Value);

    /// <summary>S_pred - S_ema of each thought (eq. 5), in nats.</summary>
    public static IEnumerable<double> Rewards(WireGroup group) => group.Thoughts.Select(t => t.PredictedEvidence - group.TeacherEvidence);

    /// <summary>A group as the journal holds it.</summary>
    public static AcceptedGroup Accepted(WireGroup group) => new()
    {
        Group = group.Position.Group,
        ThoughtsSha256 = group.ThoughtsSha256,
        PredictedEvidence = [.. group.Thoughts.Select(t => t.PredictedEvidence)],
        TeacherEvidence = group.TeacherEvidence,
        Rewards = [.. Rewards(group)],
    };

    private static RunAction Stop(RunState state, Execution execution)
    {
        if (execution.Cancelled)
            return new RunAction.Journal(new RunCancelled { RunId = state.RunId, Reason = execution.StopReason! });
        var paused = new RunAction.Journal(new RunPaused { RunId = state.RunId, Reason = execution.StopReason! });
        if (state.Stage is not { Completed: false } stage || execution.Stage != stage.Plan.Id || execution.Comparing)
            return paused;
        return OwedCheckpoint(state, execution, stage) ?? paused;
    }

    /// <summary>A checkpoint of what the engines hold beyond the last one; null where they hold nothing more, or not all of it.</summary>
    private static RunAction? OwedCheckpoint(RunState state, Execution execution, StageState stage)
    {
        var holdsAll = execution.EngineStep == stage.Applied && MissingRole(execution, RolesOf(stage.Plan)) is not (Role.Learner or Role.Ema);
        return holdsAll && stage.Applied > 0 && !HasCheckpoint(state, execution, stage)
            ? new RunAction.CommitCheckpoint(stage.Applied, stage.Cursor)
            : null;
    }

    private static RunAction BetweenStages(RunState state, Execution execution)
    {
        if (state.Plan.Stages.FirstOrDefault(s => !state.CompletedStages.Contains(s.Id)) is { } next)
        {
            var from = next.From == "" ? null : state.FinalCheckpoint(next.From);
            return next.From != "" && from is null
                ? new RunAction.GiveUp(FailureKind.Configuration, $"stage '{next.Id}' starts from '{next.From}', which is no stage before it; reorder the recipe's stages")
                : new RunAction.Journal(new StageStarted { RunId = state.RunId, Stage = next.Id, From = from });
        }
        if (state.Plan.Compared.FirstOrDefault(c => !state.Compared.Contains(c.Name)) is not { } compared)
            return new RunAction.Journal(new RunCompleted { RunId = state.RunId });

        var plan = state.Plan.Stages.First(s => s.Id == compared.Stage);
        var checkpoint = state.FinalCheckpoint(compared.Stage);
        if (checkpoint is null || execution.Unusable.Contains(checkpoint.Path))
            return LostCheckpoint(checkpoint, $"the comparison row '{compared.Name}'");
        if (!execution.Comparing || execution.Stage != compared.Stage)
            return new RunAction.SwitchEngines(compared.Stage, checkpoint, Comparing: true);
        if (MissingRole(execution, plan.Rlp ? [Role.Learner, Role.Ema, Role.Rollout] : [Role.Learner, Role.Rollout]) is { } role)
            return new RunAction.Open(role);
        return new RunAction.Evaluate(compared.Name, checkpoint.Step, state.Plan.CompareProblems, Compared: true);
    }

    private static RunAction OpenFrom(RunState state, Execution execution, StageState stage)
    {
        var own = state.UsableCheckpoints(stage.Plan.Id).FirstOrDefault(c => !execution.Unusable.Contains(c.Path));
        if (own is null && state.ForkPoint(stage.Plan.Id) is { } fork)
        {
            if (execution.Unusable.Contains(fork.Path))
                return LostCheckpoint(fork, $"stage '{stage.Plan.Id}', whose first {fork.Step} steps run '{state.Lineage!.RunId}' executed,");
            own = fork;
        }
        if (own is null && stage.StartedFrom is { } from && execution.Unusable.Contains(from.Path))
            return LostCheckpoint(from, $"stage '{stage.Plan.Id}'");
        return (own?.Step ?? 0) < stage.StepsBefore
            ? new RunAction.RecallSteps(stage.Plan.Id)
            : new RunAction.SwitchEngines(stage.Plan.Id, own ?? stage.StartedFrom, Comparing: false);
    }

    private static RunAction.GiveUp LostCheckpoint(WireCheckpoint? checkpoint, string user) => new(
        FailureKind.Data,
        $"{user} needs the checkpoint {checkpoint?.Path ?? "of a stage that has none"}, which is missing or damaged; put the folder back and start the run again, or start a new run");

    private static RunAction Work(RunState state, Execution execution, StagePlan plan, StepPlanned step)
    {
        if (execution.DataAt(step.CursorFrom) is not { } data)
            return new RunAction.Load(step.CursorFrom);
        if (Reproduction.Divergences(step.CursorTo, data.To).FirstOrDefault() is { } difference)
            return new RunAction.Journal(Diverged(state, step.Step, difference));
        var missing = MissingLanes(execution, step);
        if (execution.Learned is null && missing.Length > 0)
            return new RunAction.ExecuteLanes(step, missing);
        if (execution.Learned is null)
            return new RunAction.Learn(step);
        return plan.Rlp && !execution.TeacherUpdated ? new RunAction.UpdateTeacher(step.Step) : new RunAction.FinishStep(step);
    }

    private static StepPlanned Plan(string runId, StageState stage, DataLoaded data) => new()
    {
        RunId = runId,
        Stage = stage.Plan.Id,
        Step = stage.Applied + stage.Planned.Count + 1,
        CursorFrom = data.From,
        CursorTo = data.To,
        Lanes = stage.Plan.Rlp ? Lanes([.. data.Positions.Select(p => p.Group)], stage.Plan.Lanes) : [],
        PolicyVersion = stage.Plan.BehaviourVersion(stage.Applied + stage.Planned.Count + 1),
    };

    /// <summary>The plan of one more step whose policy is durable while an earlier one is in work; null where the staleness allows none.</summary>
    private static StepPlanned? PlanAhead(RunState state, Execution execution)
    {
        if (state.Stage is not { Completed: false, Planned: [.., var last] } stage)
            return null;
        if (execution.StopReason is not null || execution.EngineStep != stage.Applied)
            return null;
        return stage.Planned.Count <= stage.Plan.Staleness && last.Plan.Step < stage.Plan.Steps && execution.DataAt(last.Plan.CursorTo) is { } data
            ? Plan(state.RunId, stage, data)
            : null;
    }

    /// <summary>Where the first data begin that a step after the one in work needs and that are not loaded; null where there are none.</summary>
    private static WireCursor? UnloadedCursor(StageState stage, Execution execution, StepPlanned[] reach)
    {
        var cursors = reach[1..].Select(s => s.CursorFrom);
        if (reach[^1].Step < stage.Plan.Steps)
            cursors = cursors.Append(reach[^1].CursorTo);
        return cursors.FirstOrDefault(c => execution.DataAt(c) is null);
    }

    private static LanePlan[] MissingLanes(Execution execution, StepPlanned step) =>
        [.. step.Lanes.Where(l => !execution.Lanes.ContainsKey((step.Step, l.Lane)))];

    /// <summary>Consecutive slices whose sizes differ by at most one; a pure function, because the shapes of a batch decide its bits.</summary>
    private static LanePlan[] Lanes(int[] groups, int lanes)
    {
        var count = Math.Clamp(lanes, 1, Math.Max(1, groups.Length));
        return [.. Enumerable.Range(0, count).Select(i => new LanePlan
        {
            Lane = i,
            Groups = groups[(int)((long)groups.Length * i / count)..(int)((long)groups.Length * (i + 1) / count)],
        })];
    }

    private static Role[] RolesOf(StagePlan plan) => plan.Rlp
        ? [Role.Learner, Role.Ema, Role.Rollout, Role.Reward, Role.Data]
        : plan.EvaluateEvery > 0 ? [Role.Learner, Role.Rollout, Role.Data] : [Role.Learner, Role.Data];

    private static Role? MissingRole(Execution execution, Role[] roles)
    {
        foreach (var role in roles)
            if (!execution.Open.Contains(role))
                return role;
        return null;
    }

    private static bool CheckpointDue(StageState stage) =>
        stage.Applied == stage.Plan.Steps || (stage.Applied > 0 && stage.Plan.CheckpointEvery > 0 && stage.Applied % stage.Plan.CheckpointEvery == 0);

    private static bool HasCheckpoint(RunState state, Execution execution, StageState stage) =>
        state.Checkpoints.Exists(c => c.Stage == stage.Plan.Id && c.Step == stage.Applied && !execution.Unusable.Contains(c.Path));

    private static bool EvaluationDue(StageState stage) =>
        stage.Applied > 0 && stage.Plan.EvaluateEvery > 0 && stage.Applied % stage.Plan.EvaluateEvery == 0 && !stage.Evaluated.Contains(stage.Applied);

    private static IRunEvent[] Diverged(RunState state, long step, Divergence difference) =>
    [
        new ReplayDiverged
        {
            RunId = state.RunId,
            Stage = state.Stage!.Plan.Id,
            Step = step,
            What = difference.What,
            Expected = difference.Expected,
            Found = difference.Found,
        },
        new RunFailed
        {
            RunId = state.RunId,
            Kind = FailureKind.Infrastructure,
            Message = $"step {step} of stage '{state.Stage.Plan.Id}' was executed again after a restart and did not reproduce the journal: {difference.What} was "
                + $"{difference.Expected} and is now {difference.Found}. The machine, the thread count or the software changed, or memory is faulty; "
                + $"the run was created on {state.Environment.MachineKind} with {state.Environment.Threads} threads. Continue it there, or start a new run",
        },
    ];
}
