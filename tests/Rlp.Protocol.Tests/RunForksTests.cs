using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Tests;

/// <summary>What a fork's journal takes over from the run it comes from, and what it refuses.</summary>
public sealed class RunForksTests
{
    private static readonly RunPlan Plan = SimulatedRun.Stale(2);

    private static SimulatedRun Halted(long applied)
    {
        var run = new SimulatedRun(Plan, _ => 0) { Eager = true };
        run.Run(r => r.State is { Stage: { Plan.Id: "rlp" } stage } && stage.Applied == applied && stage.Planned.Count == 3);
        return run;
    }

    private static ForkRun At(long step, RunPlan? plan = null, string stage = "rlp") => new()
    {
        RunId = "fork",
        FromRunId = "r",
        Stage = stage,
        Step = step,
        RecipeJson = "{}",
        RecipeSha256 = "other",
        Plan = plan ?? Plan,
        Checkpoints = [new WireCheckpoint { Stage = "pretrain", Step = 3, Path = "p", Sha256 = "1" }, new WireCheckpoint { Stage = stage, Step = step, Path = "q", Sha256 = "2" }],
    };

    private static RunPlan With(Func<StagePlan, StagePlan> change) => Plan with { Stages = [.. Plan.Stages.Select(change)] };

    private static string Refusal(ForkRun fork) => Assert.Throws<InvalidOperationException>(() => RunForks.Events(Halted(4).Journal, fork, 0)).Message;

    [Fact]
    public void A_fork_begins_with_the_events_up_to_its_step_and_nothing_that_was_done_ahead_of_it()
    {
        var source = Halted(4).Journal;
        Assert.Contains(source, e => e is GroupsAccepted { Stage: "rlp", Step: 5 });
        var events = RunForks.Events(source, At(3), nowUnixMilliseconds: 77);

        var state = events.Aggregate(RunState.Empty, (s, e) => s.Apply(e));
        Assert.Equal((RunStatus.Paused, "fork", "other", 77L), (state.Status, state.RunId, state.RecipeSha256, state.CreatedUnixMilliseconds));
        Assert.Equal(new RunLineage { RunId = "r", Stage = "rlp", Step = 3, ParametersSha256 = source.OfType<StepApplied>().Single(a => a is { Stage: "rlp", Step: 3 }).ParametersSha256 }, state.Lineage);
        Assert.Equal((3L, 0), (state.Stage!.Applied, state.Stage.Planned.Count));
        Assert.Equal(["p", "q"], state.Checkpoints.Select(c => c.Path));
        Assert.Equal(source.OfType<StepApplied>().TakeWhile(a => a is not { Stage: "rlp", Step: 4 }).Select(a => a with { RunId = "fork" }), events.OfType<StepApplied>());
        Assert.Equal([2L], events.OfType<StageEvaluated>().Where(v => v.Stage == "cpt").Select(v => v.Step));
        Assert.Equal([3L], events.OfType<StageEvaluated>().Where(v => v.Stage == "rlp").Select(v => v.Step));
        Assert.All(events, e => Assert.Equal("fork", e.RunId));
    }

    [Fact]
    public void A_fork_at_step_0_has_not_begun_the_stage()
    {
        var state = RunForks.Events(Halted(4).Journal, At(0), 0).Aggregate(RunState.Empty, (s, e) => s.Apply(e));
        Assert.Equal(("cpt", ""), (state.Stage!.Plan.Id, state.Lineage!.ParametersSha256));
    }

    [Fact]
    public void What_came_of_the_other_runs_life_is_left_out_but_for_the_environments_that_decided_bits()
    {
        var other = new RunEnvironment { Threads = 3 };
        var source = Halted(4).Journal.ToList();
        var at = source.FindIndex(e => e is StepApplied { Stage: "rlp", Step: 2 });
        source.InsertRange(at + 1,
        [
            new RunPaused(), new RunResumed { After = "paused" }, new RunFailed { Kind = FailureKind.Infrastructure }, new RunResumed { Environment = other },
            new RunPaused(), new RunResumed { Environment = new RunEnvironment { Threads = 3 } },
        ]);
        var events = RunForks.Events(source, At(3), 0);
        Assert.Equal(3, Assert.Single(events.OfType<RunResumed>()).Environment.Threads);
        Assert.Single(events.OfType<RunPaused>());
        Assert.Empty(events.OfType<RunFailed>());
        Assert.Equal([0, 0, 3], StageHistory.Of(events).Single(s => s.Stage == "rlp").Steps.Select(s => s.Environment.Threads));
    }

    [Fact]
    public void The_time_of_a_fork_begins_with_the_fork()
    {
        var source = Halted(4).Journal.Select(e => e is StepApplied applied ? applied with { AtUnixMilliseconds = 1_000 } : e).ToArray();
        var state = RunForks.Events(source, At(3), nowUnixMilliseconds: 50_000).Append(new RunResumed { AtUnixMilliseconds = 60_000 })
            .Append(new RunRecovered { DetectionSeconds = 1, RecoverySeconds = 4 }).Append(new NodeJoined { AtUnixMilliseconds = 70_000 })
            .Aggregate(RunState.Empty, (s, e) => s.Apply(e));
        Assert.Equal(0.5, state.Recovery.Metrics(state.CreatedUnixMilliseconds)["recovery/ettr"]); // 5 of the 10 s since it was resumed
    }

    [Fact]
    public void A_step_that_was_not_applied_is_refused() => Assert.Contains("has applied 4 steps of stage 'rlp', not 5", Refusal(At(5)));

    [Fact]
    public void A_run_that_is_not_there_is_refused() =>
        Assert.Contains("there is no run 'r'", Assert.Throws<InvalidOperationException>(() => RunForks.Events([], At(1), 0)).Message);

    [Fact]
    public void A_recipe_that_changes_the_past_is_refused_and_one_that_changes_what_comes_after_is_not()
    {
        Assert.Contains("the stages before 'rlp' are the fork's past", Refusal(At(3, With(s => s.Id == "cpt" ? s with { Steps = 9 } : s))));
        Assert.Contains("staleness", Refusal(At(3, With(s => s.Rlp ? s with { Staleness = 1 } : s))));
        Assert.Contains("has 2 steps in the fork's recipe, fewer than the 3", Refusal(At(3, With(s => s.Rlp ? s with { Steps = 2 } : s))));
        var source = Halted(4).Journal;
        RunForks.Events(source, At(3, With(s => s.Rlp ? s with { Steps = 3, Lanes = 1, CheckpointEvery = 1 } : s with { EvaluateEvery = 1 })), 0);
        RunForks.Events(source, At(0, With(s => s.Rlp ? s with { Staleness = 0, Steps = 1 } : s)), 0);
    }

    [Fact]
    public void A_fork_whose_own_checkpoint_is_lost_gives_up_and_names_the_run_it_comes_from()
    {
        var state = RunForks.Events(Halted(4).Journal, At(3), 0).Aggregate(RunState.Empty, (s, e) => s.Apply(e)).Apply(new RunResumed());
        Assert.Equal(new RunAction.SwitchEngines("rlp", state.Checkpoints[^1], Comparing: false), RunDecisions.Next(state, Execution.Nothing));
        var given = Assert.IsType<RunAction.GiveUp>(RunDecisions.Next(state, Execution.Nothing with { Unusable = ["q"] }));
        Assert.Contains("whose first 3 steps run 'r' executed, needs the checkpoint q", given.Message);
    }
}
