using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Tests;

/// <summary>Single decisions, each on the state of an uneventful run that was halted there.</summary>
public sealed class RunDecisionsTests
{
    /// <summary>An uneventful run, halted as soon as the condition holds.</summary>
    private static (RunState State, Execution Execution) Halted(Func<RunState, Execution, bool> condition, RunPlan? plan = null)
    {
        var run = new SimulatedRun(plan ?? SimulatedRun.Plan, _ => 0);
        run.Run(r => condition(r.State, r.Execution));
        Assert.True(condition(run.State, run.Execution), "the run ended before the condition held");
        return (run.State, run.Execution);
    }

    private static (RunState State, Execution Execution) AfterStep(string stage, long step) =>
        Halted((s, e) => s.Stage is { Completed: false } current && current.Plan.Id == stage && current.Applied == step && e.EngineStep == step);

    private static T Next<T>(RunState state, Execution execution) where T : RunAction => Assert.IsType<T>(RunDecisions.Next(state, execution));

    private static T Journaled<T>(RunState state, Execution execution) where T : IRunEvent =>
        Assert.IsType<T>(Assert.Single(Next<RunAction.Journal>(state, execution).Events));

    // ---- stop ----

    [Fact]
    public void A_stop_commits_a_checkpoint_and_then_pauses()
    {
        var (state, execution) = AfterStep("rlp", 5);
        execution = execution with { StopReason = "why" };
        Assert.Equal(5, Next<RunAction.CommitCheckpoint>(state, execution).Step);
        state = state.Apply(new CheckpointCommitted { Stage = "rlp", Step = 5, Path = "p" });
        var paused = Journaled<RunPaused>(state, execution);
        Assert.Equal("why", paused.Reason);
        state = state.Apply(paused);
        Assert.Equal(RunStatus.Paused, state.Status);
        Next<RunAction.Wait>(state, execution);
    }

    [Fact]
    public void A_stop_during_a_step_that_is_learned_ends_the_step_first()
    {
        var (state, execution) = Halted((s, e) => e is { Stage: "rlp", Learned.Step: 3 });
        execution = execution with { StopReason = "why" };
        Next<RunAction.UpdateTeacher>(state, execution);
        Next<RunAction.FinishStep>(state, execution with { TeacherUpdated = true });
    }

    [Fact]
    public void A_stop_during_the_sampling_of_a_step_leaves_the_step_to_the_next_start()
    {
        var (state, execution) = Halted((s, e) => e is { Stage: "rlp", EngineStep: 2 } && e.Lanes.Count == 3);
        state = state with { Checkpoints = [] };
        Assert.Equal(2, Next<RunAction.CommitCheckpoint>(state, execution with { StopReason = "why" }).Step);
    }

    [Theory]
    [InlineData("nothing applied")]
    [InlineData("checkpoint there")]
    [InlineData("replaying")]
    [InlineData("no learner")]
    [InlineData("no engines")]
    public void A_stop_pauses_at_once_where_there_is_nothing_new_to_save(string why)
    {
        var (state, execution) = why switch
        {
            "nothing applied" => AfterStep("rlp", 0),
            "checkpoint there" => Halted((s, _) => s.Checkpoints.Exists(c => c is { Stage: "rlp", Step: 4 })),
            _ => AfterStep("rlp", 5),
        };
        execution = why switch
        {
            "replaying" => execution with { EngineStep = 4 },
            "no learner" => execution with { Open = execution.Open.Remove(Role.Learner) },
            "no engines" => Execution.Nothing,
            _ => execution,
        };
        Journaled<RunPaused>(state, execution with { StopReason = "why" });
    }

    // ---- checkpoints and evaluations ----

    [Fact]
    public void A_checkpoint_is_due_after_its_steps_and_after_the_last_one()
    {
        var (state, execution) = AfterStep("rlp", 4);
        Assert.Equal(4, Next<RunAction.CommitCheckpoint>(state, execution).Step);
        (state, execution) = AfterStep("rlp", 7);
        Assert.Equal(7, Next<RunAction.CommitCheckpoint>(state, execution).Step);
        (state, execution) = AfterStep("rlp", 5);
        Assert.IsNotType<RunAction.CommitCheckpoint>(RunDecisions.Next(state, execution));
    }

    [Fact]
    public void A_checkpoint_that_could_not_be_opened_is_committed_again_where_it_is_due()
    {
        var (state, execution) = Halted((s, _) => s.Checkpoints.Exists(c => c is { Stage: "rlp", Step: 4 }));
        Assert.IsNotType<RunAction.CommitCheckpoint>(RunDecisions.Next(state, execution));
        Assert.Equal(4, Next<RunAction.CommitCheckpoint>(state, execution with { Unusable = ["checkpoints/rlp/step-4"] }).Step);
    }

    [Fact]
    public void An_evaluation_is_due_once_after_the_checkpoint_of_its_step()
    {
        var (state, execution) = AfterStep("cpt", 2); // also the stage's last step
        Next<RunAction.CommitCheckpoint>(state, execution);
        state = state.Apply(new CheckpointCommitted { Stage = "cpt", Step = 2, Path = "p" });
        Assert.Equal(new RunAction.Evaluate("cpt", 2, 4, Compared: false), Next<RunAction.Evaluate>(state, execution));
        state = state.Apply(new StageEvaluated { Stage = "cpt", Step = 2 });
        Assert.Equal(2, Journaled<StageCompleted>(state, execution).Seconds); // two steps of a second each
    }

    // ---- opening ----

    [Fact]
    public void A_stage_opens_from_its_newest_usable_checkpoint_then_from_where_it_started_then_not_at_all()
    {
        var (state, _) = AfterStep("rlp", 6);
        var nothing = Execution.Nothing;
        Assert.Equal(4, Next<RunAction.SwitchEngines>(state, nothing).Checkpoint!.Step);
        Assert.Equal(2, Next<RunAction.SwitchEngines>(state, nothing with { Unusable = ["checkpoints/rlp/step-4"] }).Checkpoint!.Step);
        nothing = nothing with { Unusable = ["checkpoints/rlp/step-4", "checkpoints/rlp/step-2"] };
        // The state keeps the steps after checkpoint 2 only; those before are needed first.
        Assert.Equal("rlp", Next<RunAction.RecallSteps>(state, nothing).Stage);
        var whole = new SimulatedRun(SimulatedRun.Plan, _ => 0);
        whole.Run();
        Assert.Equal("pretrain", Next<RunAction.SwitchEngines>(state.WithAllSteps(whole.Journal), nothing).Checkpoint!.Stage);
        var giveUp = Next<RunAction.GiveUp>(state, nothing with { Unusable = nothing.Unusable.Add("checkpoints/pretrain/step-3") });
        Assert.Equal(FailureKind.Data, giveUp.Kind);
        Assert.Contains("checkpoints/pretrain/step-3", giveUp.Message);
        Assert.Contains("put the folder back", giveUp.Message);
    }

    [Fact]
    public void A_stage_without_checkpoints_opens_from_random_weights()
    {
        var (state, _) = AfterStep("pretrain", 1);
        Assert.Null(Next<RunAction.SwitchEngines>(state, Execution.Nothing).Checkpoint);
    }

    [Fact]
    public void A_stage_that_starts_from_one_that_is_not_before_it_is_refused_by_both_names()
    {
        var plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", From = "pretrain", Steps = 1 }, new StagePlan { Id = "pretrain", Steps = 1 }] };
        var giveUp = Next<RunAction.GiveUp>(RunState.Empty.Apply(new RunCreated { Plan = plan }), Execution.Nothing);
        Assert.Equal(FailureKind.Configuration, giveUp.Kind);
        Assert.Contains("'rlp'", giveUp.Message);
        Assert.Contains("'pretrain'", giveUp.Message);
    }

    [Fact]
    public void Engines_open_in_an_order_in_which_each_finds_the_weights_it_needs()
    {
        var (state, execution) = Halted((s, e) => e is { Stage: "rlp", Open.Count: 0 });
        var order = new List<Role>();
        while (RunDecisions.Next(state, execution) is RunAction.Open open)
        {
            order.Add(open.Role);
            execution = execution with { Open = execution.Open.Add(open.Role) };
        }
        Assert.Equal([Role.Learner, Role.Ema, Role.Rollout, Role.Reward, Role.Data], order);
    }

    [Fact]
    public void A_lost_learner_or_teacher_takes_all_engines_with_it_and_the_others_only_themselves()
    {
        var (_, execution) = AfterStep("rlp", 5);
        foreach (var role in (Role[])[Role.Learner, Role.Ema])
            Assert.Equal((null, 0), (RunDecisions.WithoutEngine(execution, role).Stage, RunDecisions.WithoutEngine(execution, role).Open.Count));
        foreach (var role in (Role[])[Role.Rollout, Role.Reward, Role.Data])
            Assert.Equal(execution.Open.Remove(role).Order(), RunDecisions.WithoutEngine(execution, role).Open.Order());
    }

    // ---- steps ----

    [Theory]
    [InlineData(5, 3, new[] { 1, 2, 2 })]
    [InlineData(6, 3, new[] { 2, 2, 2 })]
    [InlineData(2, 3, new[] { 1, 1 })]
    [InlineData(5, 1, new[] { 5 })]
    public void A_plan_divides_the_groups_into_consecutive_lanes_of_nearly_equal_size(int groups, int lanes, int[] sizes)
    {
        var plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", Rlp = true, Lanes = lanes, Steps = 1 }] };
        var state = RunState.Empty.Apply(new RunCreated { Plan = plan }).Apply(new StageStarted { Stage = "rlp" });
        var data = new DataLoaded { To = new WireCursor { Document = 9 }, Positions = [.. Enumerable.Range(0, groups).Select(g => new WirePosition { Group = g })] };
        var execution = Execution.Nothing with { Stage = "rlp", Open = [.. Enum.GetValues<Role>()], Data = [data] };
        var planned = Journaled<StepPlanned>(state, execution);
        Assert.Equal((1, 0L, 9L), ((int)planned.Step, planned.PolicyVersion, planned.CursorTo.Document));
        Assert.Equal(sizes, planned.Lanes.Select(l => l.Groups.Length));
        Assert.Equal(Enumerable.Range(0, sizes.Length), planned.Lanes.Select(l => l.Lane));
        Assert.Equal(Enumerable.Range(0, groups), planned.Lanes.SelectMany(l => l.Groups));
    }

    [Fact]
    public void The_data_of_the_step_after_the_one_in_work_may_be_loaded_meanwhile_and_only_that()
    {
        var (state, execution) = Halted((s, e) => s.Stage is { Plan.Id: "rlp", Planned: [{ Plan.Step: 3 }] });
        var next = state.Stage!.Planned[0].Plan.CursorTo;
        Assert.Equal([new RunAction.Load(next)], RunDecisions.Ahead(state, execution));
        Assert.Empty(RunDecisions.Ahead(state, execution with { Data = execution.Data.Add(new DataLoaded { From = next }) }));
        Assert.Empty(RunDecisions.Ahead(state, execution with { StopReason = "why" }));
        Assert.Empty(RunDecisions.Ahead(state, execution with { Open = execution.Open.Remove(Role.Data) }));
        (state, execution) = Halted((s, e) => s.Stage is { Plan.Id: "rlp", Planned: [{ Plan.Step: 7 }] });
        Assert.Empty(RunDecisions.Ahead(state, execution)); // the last step
    }

    [Fact]
    public void With_a_staleness_as_many_steps_are_loaded_planned_and_sampled_ahead_of_the_one_in_work_and_no_more()
    {
        var (state, execution) = Halted((s, e) => s.Stage is { Plan.Id: "rlp", Planned: [{ Plan.Step: 3 }] }, SimulatedRun.Stale(2));
        var plan = state.Stage!.Plan;
        for (long step = 4; step <= 5; step++)
        {
            var cursor = state.Stage!.Planned[^1].Plan.CursorTo;
            Assert.Equal(new RunAction.Load(cursor), Assert.Single(RunDecisions.Ahead(state, execution)));
            execution = execution with { Data = execution.Data.Add(HashEngines.Data(plan, cursor)) };
            var planned = Assert.IsType<StepPlanned>(Assert.Single(Assert.IsType<RunAction.Journal>(RunDecisions.Ahead(state, execution)[0]).Events));
            Assert.Equal((step, step - 3), (planned.Step, planned.PolicyVersion));
            state = state.Apply(planned);
            var lanes = Assert.IsType<RunAction.ExecuteLanes>(RunDecisions.Ahead(state, execution)[0]);
            Assert.Equal((step, 3), (lanes.Step.Step, lanes.Lanes.Count));
            Assert.IsType<RunAction.Load>(RunDecisions.Ahead(state, execution with { Open = execution.Open.Remove(Role.Rollout) })[0]);
            foreach (var lane in lanes.Lanes)
                (state, execution) = Delivered(state, execution, lanes.Step, lane);
        }
        // The data of one more step is all that is left to do before step 3 is applied.
        Assert.Equal(new RunAction.Load(state.Stage!.Planned[^1].Plan.CursorTo), Assert.Single(RunDecisions.Ahead(state, execution)));
        Assert.Equal([3L, 4L, 5L], state.Stage.Planned.Select(p => p.Plan.Step));
        Assert.Equal(3, Next<RunAction.ExecuteLanes>(state, execution).Step.Step);
    }

    /// <summary>The state and execution after a lane's groups are in.</summary>
    private static (RunState State, Execution Execution) Delivered(RunState state, Execution execution, StepPlanned step, LanePlan lane)
    {
        var positions = execution.DataAt(step.CursorFrom)!.Positions;
        var decision = RunDecisions.Accept(state, execution, new LaneCompleted
        {
            Stage = step.Stage,
            Step = step.Step,
            Lane = lane.Lane,
            PolicyVersion = step.PolicyVersion,
            Groups = [.. lane.Groups.Select(g => HashEngines.Group("policy", "teacher", step.Step, positions[g]))],
        });
        Assert.Equal(LaneOutcome.Accepted, decision.Outcome);
        return (decision.Events.Aggregate(state, (s, e) => s.Apply(e)), decision.Execution);
    }

    [Fact]
    public void A_finished_step_is_journaled_with_the_plan_that_it_makes_possible()
    {
        var run = new SimulatedRun(SimulatedRun.Stale(1), _ => 0) { Eager = true };
        run.Run(r => r.Execution is { Stage: "rlp", TeacherUpdated: true, Learned.Step: 3 });
        var finished = RunDecisions.Finish(run.State, run.Execution, "thoughts", seconds: 1);
        Assert.Equal([3L, 5L], [Assert.IsType<StepApplied>(finished.Events[0]).Step, Assert.IsType<StepPlanned>(finished.Events[1]).Step]);
        Assert.Equal([(4L, 0), (4L, 1), (4L, 2)], finished.Execution.Lanes.Keys.Order()); // step 4 was sampled meanwhile
    }

    [Theory]
    [InlineData(5, true)]
    [InlineData(4, false)] // a checkpoint is due first
    [InlineData(3, false)] // an evaluation is due first
    public void A_finished_step_is_journaled_in_one_transaction_with_the_plan_of_the_next_where_nothing_comes_between(long step, bool together)
    {
        var (state, execution) = Halted((s, e) => e is { Stage: "rlp", TeacherUpdated: true, Learned: { } learned } && learned.Step == step);
        execution = execution with { Data = execution.Data.Add(HashEngines.Data(state.Stage!.Plan, state.Stage.Planned[0].Plan.CursorTo)) };
        var finished = RunDecisions.Finish(state, execution, "thoughts", seconds: 2);
        Assert.Equal(together ? [typeof(StepApplied), typeof(StepPlanned)] : [typeof(StepApplied)], finished.Events.Select(e => e.GetType()));
        Assert.False(finished.Replayed);
        Assert.Equal((step, "thoughts", 2.0), (finished.Applied.Step, finished.Applied.ThoughtsSha256, finished.Applied.Seconds));
        Assert.Equal((step, 1, 0), (finished.Execution.EngineStep, finished.Execution.Data.Count, finished.Execution.Lanes.Count));
    }

    [Fact]
    public void A_replayed_step_with_the_journaled_digests_is_not_journaled_again()
    {
        var (state, execution, thoughts) = Replaying();
        var finished = RunDecisions.Finish(state, execution, thoughts, seconds: 9);
        Assert.True(finished.Replayed);
        Assert.Empty(finished.Events);
        Assert.Equal(5, finished.Execution.EngineStep);
    }

    [Theory]
    [InlineData("thoughts_sha256")]
    [InlineData("reward_mean")]
    [InlineData("loss")]
    [InlineData("parameters_sha256")]
    public void A_replayed_step_that_differs_in_one_figure_fails_the_run_and_names_it(string what)
    {
        var (state, execution, thoughts) = Replaying();
        var learned = execution.Learned!;
        if (what == "thoughts_sha256")
            thoughts = "other";
        if (what == "loss")
            execution = execution with { Learned = learned with { Loss = Math.BitIncrement(learned.Loss) } };
        if (what == "parameters_sha256")
            execution = execution with { Learned = learned with { ParametersSha256 = "other" } };
        if (what == "reward_mean")
        {
            var lane = execution.Lanes[(5, 0)];
            lane = lane with { Groups = [.. lane.Groups.Select(g => g with { TeacherEvidence = g.TeacherEvidence - 1 })] };
            execution = execution with { Lanes = execution.Lanes.SetItem((5, 0), lane) };
        }
        var finished = RunDecisions.Finish(state, execution, thoughts, seconds: 1);
        Assert.Equal(what, Assert.IsType<ReplayDiverged>(finished.Events[0]).What);
        Assert.Contains(what, Assert.IsType<RunFailed>(finished.Events[1]).Message);
        Assert.Equal(2, finished.Events.Count);
    }

    [Theory]
    [InlineData(double.NaN, double.NaN, true)]
    [InlineData(0.0, -0.0, false)]
    public void Figures_are_compared_by_their_bits(double journaled, double found, bool same)
    {
        var (state, execution, thoughts) = Replaying();
        var steps = state.Stage!.Steps;
        var fifth = steps[^1] with { Applied = steps[^1].Applied with { Loss = journaled } };
        state = state with { Stage = state.Stage with { Steps = steps.SetItem(steps.Count - 1, fifth) } };
        execution = execution with { Learned = execution.Learned! with { Loss = found } };
        Assert.Equal(same, RunDecisions.Finish(state, execution, thoughts, seconds: 1).Events.Count == 0);
    }

    /// <summary>Step 5 of the RLP stage, journaled before, is executed again and about to be finished.</summary>
    private static (RunState State, Execution Execution, string? Thoughts) Replaying()
    {
        var (state, _) = AfterStep("rlp", 5);
        var (_, execution) = Halted((s, e) => e is { Stage: "rlp", TeacherUpdated: true, Learned.Step: 5 });
        return (state, execution, state.Stage!.StepAt(5)!.Applied.ThoughtsSha256);
    }

    // ---- deliveries ----

    [Theory]
    [InlineData("lane", "has no lane 9")]
    [InlineData("groups", "other groups")]
    [InlineData("fewer groups", "other groups")]
    [InlineData("step", "step 3 of policy 2 is in work")]
    [InlineData("policy", "step 3 of policy 2 is in work")]
    [InlineData("stage", "step 3 of policy 2 is in work")]
    [InlineData("paused", "the run is Paused")]
    public void A_delivery_that_is_not_of_the_step_in_work_changes_nothing_and_is_told_why(string wrong, string reason)
    {
        var (state, execution) = Halted((s, e) => e is { Stage: "rlp", EngineStep: 2 } && e.Lanes.Count == 3);
        var result = execution.Lanes[(3, 1)];
        execution = execution with { Lanes = execution.Lanes.Remove((3, 1)) };
        result = wrong switch
        {
            "lane" => result with { Lane = 9 },
            "groups" => result with { Groups = [.. result.Groups.Select(g => g with { Position = g.Position with { Group = g.Position.Group + 1 } })] },
            "fewer groups" => result with { Groups = result.Groups[1..] },
            "step" => result with { Step = 2 },
            "policy" => result with { PolicyVersion = 1 },
            "stage" => result with { Stage = "cpt" },
            _ => result,
        };
        if (wrong == "paused")
            state = state.Apply(new RunPaused());
        var decision = RunDecisions.Accept(state, execution, result);
        Assert.Equal(LaneOutcome.Refused, decision.Outcome);
        Assert.Contains(reason, decision.Reason);
        Assert.Empty(decision.Events);
        Assert.Same(execution, decision.Execution);
    }

    [Fact]
    public void An_accepted_delivery_is_journaled_with_the_rewards_of_equation_5_and_without_tokens()
    {
        var (state, execution) = Halted((s, e) => s.Stage is { Plan.Id: "rlp", Planned: [{ Plan.Step: 1 }] });
        var position = new WirePosition { Group = 0, Prefix = [1], NextToken = 2 };
        var result = new LaneCompleted
        {
            Stage = "rlp",
            Step = 1,
            Lane = 0,
            Groups =
            [
                new WireGroup
                {
                    Position = position,
                    Thoughts = [new WireThought { Tokens = [7], PredictedEvidence = -0.5 }, new WireThought { Tokens = [8], PredictedEvidence = -2 }],
                    TeacherEvidence = -1.5,
                    ThoughtsSha256 = "digest",
                },
            ],
        };
        var decision = RunDecisions.Accept(state, execution, result);
        Assert.Equal(LaneOutcome.Accepted, decision.Outcome);
        var group = Assert.Single(Assert.IsType<GroupsAccepted>(Assert.Single(decision.Events)).Groups);
        Assert.Equal((0, "digest", -1.5), (group.Group, group.ThoughtsSha256, group.TeacherEvidence));
        Assert.Equal([1.0, -0.5], group.Rewards);
        Assert.Equal([-0.5, -2], group.PredictedEvidence);
        Assert.Same(result, decision.Execution.Lanes[(1, 0)]);
    }
}
