using System.Globalization;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>
/// A run without actors: does what <see cref="RunDecisions"/> says on <see cref="HashEngines"/>, as the run entity does, while the given choices
/// crash it, stop it, lose its engines, damage its newest checkpoint and drop, repeat and reorder its lanes' deliveries. What must become of
/// each delivery is worked out beside it from the journal's events alone.
/// </summary>
/// <param name="choose">Gives a number in [0, n); 0 is always the uneventful choice.</param>
internal sealed class SimulatedRun(RunPlan plan, Func<int, int> choose)
{
    /// <summary>What a checkpoint holds: the weights, and the versions before them that later steps are sampled with.</summary>
    public sealed record Saved(string Policy, string Teacher, IReadOnlyDictionary<long, (string Policy, string Teacher)> Older);

    private readonly Dictionary<string, Saved> disk = [];
    private readonly List<LaneCompleted> sent = [];
    private readonly HashSet<(long Step, int Lane)> lanesIn = [];
    private readonly Dictionary<long, string> policies = [];
    private readonly Dictionary<long, string> teachers = [];
    private Execution execution = Execution.Nothing;
    private RunState state = RunState.Empty;
    private string policy = "";
    private string teacher = "";
    private long engineStep;

    public static RunPlan Plan { get; } = new()
    {
        Stages =
        [
            new StagePlan { Id = "pretrain", Steps = 3, CheckpointEvery = 2 },
            new StagePlan { Id = "cpt", From = "pretrain", Steps = 2, CheckpointEvery = 9, EvaluateEvery = 2, EvaluateProblems = 4 },
            new StagePlan { Id = "rlp", From = "pretrain", Rlp = true, Lanes = 3, Steps = 7, CheckpointEvery = 2, EvaluateEvery = 3, EvaluateProblems = 4 },
        ],
        Compared = [new ComparedStage { Name = "base", Stage = "pretrain" }, new ComparedStage { Name = "rlp", Stage = "rlp" }],
        CompareProblems = 9,
    };

    /// <summary>The same plan with thoughts sampled ahead in its stage of Algorithm 1.</summary>
    public static RunPlan Stale(int staleness) => Plan with { Stages = [.. Plan.Stages.Select(s => s.Rlp ? s with { Staleness = staleness } : s)] };

    /// <summary>Whether everything that may be done ahead is done before each turn; else it is only done where the choices say so.</summary>
    public bool Eager { get; init; }

    public List<IRunEvent> Journal { get; } = [];

    public RunState State => state;

    public Execution Execution => execution;

    /// <summary>How often a replay began before the steps that the state keeps.</summary>
    public int Recalls { get; private set; }

    /// <summary>Steps taken so far, whatever they were.</summary>
    public int Turns { get; private set; }

    /// <summary>What a test wants of the engines that a sound machine would not do.</summary>
    public Func<DataLoaded, DataLoaded> Loading { get; set; } = data => data;

    public Func<LaneCompleted, LaneCompleted> Sending { get; set; } = result => result;

    /// <summary>The series and evaluations of a run to which nothing happens, by one loop over the stages.</summary>
    public static List<string> Expected(RunPlan plan)
    {
        var lines = new List<string>();
        var compared = new List<string>();
        var finals = new Dictionary<string, string>();
        foreach (var stage in plan.Stages)
        {
            var policy = stage.From == "" ? HashEngines.Hash("seed") : finals[stage.From];
            var (teacher, cursor) = (policy, new WireCursor());
            List<(string Policy, string Teacher)> versions = [(policy, teacher)];
            for (long step = 1; step <= stage.Steps; step++)
            {
                var data = HashEngines.Data(stage, cursor);
                var behaviour = versions[Math.Max(0, (int)step - 1 - stage.Staleness)];
                var groups = data.Positions.Select(p => HashEngines.Group(behaviour.Policy, behaviour.Teacher, step, p)).ToArray();
                policy = HashEngines.Learn(policy, step, groups, data.Documents);
                if (stage.Rlp)
                    teacher = HashEngines.Update(teacher, policy);
                versions.Add((policy, teacher));
                lines.Add(Line(
                    stage.Id,
                    step,
                    step,
                    HashEngines.Number(policy),
                    stage.Rlp ? groups.SelectMany(RunDecisions.Rewards).Average() : null,
                    policy,
                    stage.Rlp ? HashEngines.Thoughts(groups) : null));
                if (stage.EvaluateEvery > 0 && step % stage.EvaluateEvery == 0)
                    lines.Add(Line(stage.Id, step, policy));
                cursor = data.To;
            }
            finals.Add(stage.Id, policy);
            compared.AddRange(plan.Compared.Where(c => c.Stage == stage.Id).Select(c => Line(c.Name, stage.Steps, policy)));
        }
        return [.. lines, .. compared];
    }

    /// <summary>The same from the journal.</summary>
    public List<string> Series() => [.. Journal.Select(e => e switch
    {
        StepApplied a => Line(a.Stage, a.Step, a.PolicyVersion, a.Loss, a.RewardMean, a.ParametersSha256, a.ThoughtsSha256),
        StageEvaluated v => $"{v.Stage} {v.Step} evaluated {v.Result.ThinkAccuracy.ToString("R", CultureInfo.InvariantCulture)}",
        _ => "",
    }).Where(line => line != "")];

    /// <summary>Runs until nothing is left to do, or until the condition holds between two turns.</summary>
    public void Run(Func<SimulatedRun, bool>? until = null)
    {
        for (; until is null || !until(this); Turns++)
        {
            Assert.True(Turns < 20_000, $"the run gets nowhere: {RunDecisions.Next(state, execution)}");
            switch (choose(20))
            {
                case 1:
                    Crash();
                    break;
                case 2:
                    execution = execution with { StopReason = "why" };
                    break;
                case 3:
                    LoseEngine((Role)choose(5));
                    break;
                case 4 when sent.Count > 0:
                    Deliver(sent[choose(sent.Count)]);
                    break;
                case 5 or 6 or 7 when RunDecisions.Ahead(state, execution) is { Count: > 0 } ahead:
                    DoAhead(ahead[choose(ahead.Count)]);
                    break;
            }
            while (Eager && RunDecisions.Ahead(state, execution) is [var first, ..])
                DoAhead(first);
            if (!Turn())
                return;
        }
    }

    /// <summary>The process dies: what is not in the journal or on the disk is gone. What was sent may still arrive later.</summary>
    public void Crash()
    {
        state = Recovered(choose(Journal.Count + 1));
        Forget(Execution.Nothing);
        if (choose(4) == 1 && state.Stage is { Completed: false } stage && state.Checkpoints.FindLast(c => c.Stage == stage.Plan.Id) is { } newest && !state.IsForkPoint(newest)) // without that one a fork is lost
            disk.Remove(newest.Path);
        if (state.Status == RunStatus.Running)
            Append(new RunResumed { RunId = "r", After = "interrupted" });
    }

    /// <summary>The state after the journal by the road of a snapshot after this many of its events.</summary>
    private RunState Recovered(int snapshotAfter)
    {
        var before = Journal.Take(snapshotAfter).Aggregate(RunState.Empty, (s, e) => s.Apply(e));
        var snapshot = RunSnapshot.Of(before);
        var read = (RunSnapshot)MessageRegistry.Deserialize(MessageRegistry.ManifestOf(typeof(RunSnapshot)), MessageRegistry.Serialize(snapshot));
        return Journal.Skip(snapshotAfter).Aggregate(read.ToState(), (s, e) => s.Apply(e));
    }

    /// <summary>A run forked from this one after a step: with a journal and a disk of its own.</summary>
    public SimulatedRun Fork(string stage, long step, RunPlan forked, Func<int, int> choices)
    {
        var fork = new SimulatedRun(forked, choices) { Eager = Eager };
        var checkpoints = plan.Stages.TakeWhile(s => s.Id != stage).Select(s => state.FinalCheckpoint(s.Id)!).ToList();
        foreach (var final in checkpoints)
            fork.disk[final.Path] = disk[final.Path];
        if (step > 0)
        {
            var path = $"checkpoints/{stage}/step-{step}";
            fork.disk[path] = After(stage, step, path);
            checkpoints.Add(new WireCheckpoint { Stage = stage, Step = step, Path = path, Sha256 = fork.disk[path].Policy });
        }
        var command = new ForkRun { RunId = "r", FromRunId = "origin", Stage = stage, Step = step, Plan = forked, RecipeSha256 = "recipe", Checkpoints = [.. checkpoints] };
        foreach (var e in RunForks.Events(Journal, command, nowUnixMilliseconds: 0))
        {
            fork.Journal.Add(e);
            fork.state = fork.state.Apply(e);
        }
        return fork;
    }

    /// <summary>What a checkpoint of that step holds, whether or not this run has one.</summary>
    private Saved After(string stage, long step, string path)
    {
        var exact = new SimulatedRun(plan with { Stages = [.. plan.Stages.Select(s => s with { CheckpointEvery = 1 })] }, _ => 0) { Eager = true };
        exact.Run(r => r.disk.ContainsKey(path));
        return exact.disk[path];
    }

    /// <summary>Other weights in every checkpoint of a stage, under the same manifests.</summary>
    public void Damage(string stage, Func<Saved, Saved> damage)
    {
        foreach (var path in disk.Keys.Where(p => p.Contains($"/{stage}/")).ToArray())
            disk[path] = damage(disk[path]);
    }

    /// <summary>All checkpoints of a stage are gone from the disk.</summary>
    public void LoseCheckpoints(string stage)
    {
        foreach (var path in disk.Keys.Where(p => p.Contains($"/{stage}/")).ToArray())
            disk.Remove(path);
    }

    private bool Turn()
    {
        if (state.Status == RunStatus.Absent)
            return Append(new RunCreated { RunId = "r", Plan = plan, RecipeSha256 = "recipe", Seed = 1 }) || true;
        var action = RunDecisions.Next(state, execution);
        switch (action)
        {
            case RunAction.Wait when state.Status == RunStatus.Paused:
                Forget(Execution.Nothing);
                Append(new RunResumed { RunId = "r", After = "paused" });
                break;
            case RunAction.Wait:
                return false;
            case RunAction.Journal journal:
                if (Append([.. journal.Events]))
                    foreach (var completed in journal.Events.OfType<StageCompleted>())
                        Prune(completed.Stage, keep: 1);
                break;
            case RunAction.SwitchEngines { Checkpoint: { } checkpoint } when !disk.ContainsKey(checkpoint.Path):
                execution = execution with { Unusable = execution.Unusable.Add(checkpoint.Path) };
                break;
            case RunAction.SwitchEngines change:
                var own = !change.Comparing && change.Checkpoint?.Stage == change.Stage;
                Forget(execution.WithoutEngines() with
                {
                    Stage = change.Stage,
                    Comparing = change.Comparing,
                    Checkpoint = change.Checkpoint,
                    EngineStep = own ? change.Checkpoint!.Step : 0,
                });
                engineStep = execution.EngineStep;
                break;
            case RunAction.Open open:
                Open(open.Role);
                break;
            case RunAction.RecallSteps:
                state = state.WithAllSteps(Journal);
                Recalls++;
                break;
            case RunAction.Load load:
                Load(load.From);
                break;
            case RunAction.ExecuteLanes execute:
                ExecuteLanes(execute);
                break;
            case RunAction.Learn learn:
                Learn(learn.Step);
                break;
            case RunAction.UpdateTeacher:
                teacher = HashEngines.Update(teacher, policy);
                Keep(teachers, engineStep + 1, teacher);
                execution = execution with { TeacherUpdated = true };
                break;
            case RunAction.FinishStep:
                var groups = RunDecisions.GroupsInOrder(execution).ToArray();
                var finished = RunDecisions.Finish(state, execution, groups.Length == 0 ? null : HashEngines.Thoughts(groups), seconds: 1);
                if (finished.Events.Count > 0 && !Append([.. finished.Events]))
                    break;
                execution = finished.Execution;
                if (state.Status == RunStatus.Running)
                    engineStep++;
                lanesIn.RemoveWhere(l => l.Step <= engineStep);
                break;
            case RunAction.CommitCheckpoint commit:
                Assert.Equal(engineStep, commit.Step);
                var path = $"checkpoints/{execution.Stage}/step-{commit.Step}";
                disk[path] = new Saved(policy, teacher, policies.Keys.Intersect(teachers.Keys).Where(v => v < engineStep)
                    .ToDictionary(v => v, v => (policies[v], teachers[v])));
                if (!Append(new CheckpointCommitted { RunId = "r", Stage = execution.Stage!, Step = commit.Step, Path = path, Sha256 = policy }))
                    break;
                execution = execution with { Unusable = execution.Unusable.Remove(path) };
                Prune(execution.Stage!, keep: 2);
                break;
            case RunAction.Evaluate evaluate:
                Append(new StageEvaluated
                {
                    RunId = "r",
                    Stage = evaluate.Name,
                    Step = evaluate.Step,
                    Compared = evaluate.Compared,
                    Result = new WireEvaluation { ThinkAccuracy = HashEngines.Number(policy) },
                });
                break;
            default:
                Assert.Fail($"the run does not go on: {action}");
                break;
        }
        return true;
    }

    private void Open(Role role)
    {
        var own = role is Role.Learner or Role.Ema && execution.Checkpoint?.Stage == execution.Stage ? disk[execution.Checkpoint!.Path] : null;
        if (role == Role.Learner)
        {
            policy = execution.Checkpoint is null ? HashEngines.Hash("seed") : disk[execution.Checkpoint.Path].Policy;
            foreach (var (version, older) in own?.Older ?? new Dictionary<long, (string Policy, string Teacher)>())
                policies[version] = older.Policy;
            policies[engineStep] = policy;
        }
        if (role == Role.Ema)
        {
            teacher = own is null ? policy : own.Teacher;
            foreach (var (version, older) in own?.Older ?? new Dictionary<long, (string Policy, string Teacher)>())
                teachers[version] = older.Teacher;
            teachers[engineStep] = teacher;
        }
        execution = execution with { Open = execution.Open.Add(role) };
    }

    /// <summary>One more version; there is room for one more than the staleness, and the oldest makes way.</summary>
    private void Keep(Dictionary<long, string> versions, long version, string weights)
    {
        versions[version] = weights;
        versions.Remove(version - 1 - Staleness);
    }

    private int Staleness => plan.Stages.First(s => s.Id == execution.Stage).Staleness;

    private void DoAhead(RunAction action)
    {
        switch (action)
        {
            case RunAction.RecallSteps:
                state = state.WithAllSteps(Journal);
                Recalls++;
                break;
            case RunAction.Load load:
                Load(load.From);
                break;
            case RunAction.Journal journal:
                Append([.. journal.Events]);
                break;
            case RunAction.ExecuteLanes execute:
                ExecuteLanes(execute);
                break;
            default:
                Assert.Fail($"{action} is not to be done ahead");
                break;
        }
    }

    private void Load(WireCursor from)
    {
        if (execution.DataAt(from) is null)
            execution = execution with { Data = execution.Data.Add(Loading(HashEngines.Data(state.Stage!.Plan, from))) };
    }

    /// <summary>What is not in when this returns is asked for again by the next turn.</summary>
    private void ExecuteLanes(RunAction.ExecuteLanes execute)
    {
        var positions = execution.DataAt(execute.Step.CursorFrom)!.Positions;
        var crossing = execute.Lanes.Select(lane => Sending(new LaneCompleted
        {
            RunId = "r",
            Stage = execute.Step.Stage,
            Step = execute.Step.Step,
            Lane = lane.Lane,
            PolicyVersion = execute.Step.PolicyVersion,
            Groups =
            [
                .. (choose(2) == 1 ? lane.Groups.Reverse() : lane.Groups)
                    .Select(g => HashEngines.Group(policies[execute.Step.PolicyVersion], teachers[execute.Step.PolicyVersion], execute.Step.Step, positions[g])),
            ],
        })).ToList();
        sent.AddRange(crossing);
        while (crossing.Count > 0 && state.Status == RunStatus.Running)
        {
            var which = choose(crossing.Count);
            switch (choose(10))
            {
                case 1:
                    crossing.RemoveAt(which); // lost on the way
                    break;
                case 2:
                    Deliver(crossing[which]); // and once more later
                    break;
                case 3:
                    Deliver(sent[choose(sent.Count)]);
                    break;
                case 4:
                    LoseEngine(Role.Rollout);
                    return;
                case 5:
                    Crash();
                    return;
                default:
                    Deliver(crossing[which]);
                    crossing.RemoveAt(which);
                    break;
            }
        }
    }

    private void Deliver(LaneCompleted result)
    {
        var planned = Journal.OfType<StepPlanned>().LastOrDefault(p => p.Stage == execution.Stage && p.Step == result.Step);
        var inWork = state is { Status: RunStatus.Running, Stage.Completed: false } && execution is { Comparing: false } && planned is not null
            && result.Step > engineStep && result.Step <= engineStep + 1 + Staleness;
        var journaled = Journal.OfType<GroupsAccepted>().FirstOrDefault(a => a.Stage == result.Stage && a.Step == result.Step && a.Lane == result.Lane);
        var expected = !inWork || (result.Stage, result.Step) != (planned!.Stage, planned.Step) ? LaneOutcome.Refused
            : lanesIn.Contains((result.Step, result.Lane)) ? LaneOutcome.Duplicate
            : journaled is null ? LaneOutcome.Accepted
            : Journal.OfType<StepApplied>().Any(a => a.Stage == result.Stage && a.Step == result.Step)
                || journaled.Groups.Select(g => g.ThoughtsSha256).ToHashSet().SetEquals(result.Groups.Select(g => g.ThoughtsSha256))
            ? LaneOutcome.Reproduced
            : LaneOutcome.Diverged;

        var decision = RunDecisions.Accept(state, execution, result);
        Assert.Equal(expected, decision.Outcome);
        Assert.Equal(expected is LaneOutcome.Accepted or LaneOutcome.Diverged, decision.Events.Count > 0);
        if (decision.Events.Count > 0 && !Append([.. decision.Events]))
            return;
        execution = decision.Execution;
        if (expected is LaneOutcome.Accepted or LaneOutcome.Reproduced)
            lanesIn.Add((result.Step, result.Lane));
    }

    private void Learn(StepPlanned step)
    {
        Assert.Equal(engineStep + 1, step.Step);
        Assert.Equal(Math.Max(0, engineStep - Staleness), step.PolicyVersion);
        policy = HashEngines.Learn(policy, step.Step, RunDecisions.GroupsInOrder(execution), execution.DataAt(step.CursorFrom)!.Documents);
        Keep(policies, step.Step, policy);
        execution = execution with
        {
            Learned = new StepLearned { Step = step.Step, PolicyVersion = step.Step, Loss = HashEngines.Number(policy), GradNorm = 1, ParametersSha256 = policy },
        };
    }

    private void LoseEngine(Role role)
    {
        if (!execution.Open.Contains(role))
            return;
        if (role is Role.Learner or Role.Ema)
            Forget(RunDecisions.WithoutEngine(execution, role));
        else
            execution = RunDecisions.WithoutEngine(execution, role);
    }

    private void Forget(Execution left)
    {
        execution = left;
        (policy, teacher, engineStep) = ("not open", "not open", 0);
        policies.Clear();
        teachers.Clear();
        lanesIn.Clear();
    }

    /// <summary>One transaction; false where the process died before it was durable or before it knew that it was.</summary>
    private bool Append(params IRunEvent[] events)
    {
        var crash = choose(30);
        if (crash != 1)
            foreach (var e in events)
            {
                var read = (IRunEvent)MessageRegistry.Deserialize(MessageRegistry.ManifestOf(e.GetType()), MessageRegistry.Serialize(e));
                Journal.Add(read);
                state = state.Apply(read);
            }
        if (crash is not (1 or 2))
            return true;
        Crash();
        return false;
    }

    private void Prune(string stage, int keep)
    {
        foreach (var old in state.Checkpoints.Where(c => c.Stage == stage && !state.IsForkPoint(c)).DistinctBy(c => c.Step).OrderByDescending(c => c.Step).Skip(keep))
            disk.Remove(old.Path);
    }

    private static string Line(string stage, long step, long version, double loss, double? reward, string parameters, string? thoughts) => string.Create(
        CultureInfo.InvariantCulture, $"{stage} {step} v{version} {loss:R} {reward:R} {parameters} {thoughts}");

    private static string Line(string name, long step, string policy) => string.Create(
        CultureInfo.InvariantCulture, $"{name} {step} evaluated {HashEngines.Number(policy):R}");
}
