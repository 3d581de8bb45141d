using CsCheck;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Tests;

/// <summary>Whatever happens to a run and to its deliveries, its journal tells the story of a run to which nothing happened.</summary>
public sealed class RunModelTests
{
    /// <summary>Choices from a list of bytes, uneventful ones after its end.</summary>
    private static Func<int, int> From(byte[] bytes)
    {
        var next = 0;
        return below => next < bytes.Length ? bytes[next++] % below : 0;
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)] // late or early: what is sampled ahead does not decide a number
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(8, true)] // further ahead than the stage has steps
    public void A_run_to_which_nothing_happens_is_the_plain_loop_over_its_stages(int staleness, bool eager)
    {
        var run = new SimulatedRun(SimulatedRun.Stale(staleness), _ => 0) { Eager = eager };
        run.Run();
        AssertWhole(run, staleness);
    }

    [Fact]
    public void Each_staleness_has_a_series_of_its_own() =>
        Assert.Equal(4, new[] { 0, 1, 2, 8 }.Select(k => SimulatedRun.Expected(SimulatedRun.Stale(k))[^1]).Distinct().Count());

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Crashes_stops_lost_engines_damaged_checkpoints_and_unruly_deliveries_leave_no_trace_in_the_series(int staleness) =>
        Gen.Select(Gen.Byte.Array[0, 900], Gen.Bool).Sample(
            (bytes, eager) =>
            {
                var run = new SimulatedRun(SimulatedRun.Stale(staleness), From(bytes)) { Eager = eager };
                run.Run();
                AssertWhole(run, staleness);
            },
            iter: 200);

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_crash_before_or_after_any_turn_leaves_no_trace_in_the_series(int staleness)
    {
        var plan = SimulatedRun.Stale(staleness);
        var whole = new SimulatedRun(plan, _ => 0) { Eager = true };
        whole.Run();
        for (var turn = 1; turn <= whole.Turns; turn++)
        {
            var run = new SimulatedRun(plan, _ => 0) { Eager = true };
            run.Run(r => r.Turns == turn);
            run.Crash();
            run.Run();
            AssertWhole(run, staleness);
        }
    }

    [Fact]
    public void With_a_staleness_the_thoughts_of_later_steps_are_journaled_before_the_step_in_work_is_applied()
    {
        var run = new SimulatedRun(SimulatedRun.Stale(2), _ => 0) { Eager = true };
        run.Run();
        var rlp = run.Journal.Where(e => e is GroupsAccepted or StepApplied { Stage: "rlp" }).ToList();
        for (var step = 3; step <= 7; step++)
        {
            // Step s needs the policy after step s - 3, and does not wait for that after step s - 2.
            var first = rlp.FindIndex(e => e is GroupsAccepted a && a.Step == step);
            var last = rlp.FindLastIndex(e => e is GroupsAccepted a && a.Step == step);
            Assert.True(last < rlp.FindIndex(e => e is StepApplied a && a.Step == step - 2), $"step {step} is sampled late");
            Assert.True(first > rlp.FindIndex(e => e is StepApplied a && a.Step == step - 3), $"step {step} is sampled early");
        }
    }

    [Theory]
    [InlineData("policy", "thoughts_sha256")]
    [InlineData("teacher", "reward_mean")]
    [InlineData("data", "cursor")]
    public void A_replay_on_a_faulty_machine_is_found_out_at_its_first_step_and_ends_the_run(string fault, string what)
    {
        var whole = new SimulatedRun(SimulatedRun.Plan, _ => 0);
        whole.Run();
        for (var turn = 1; turn <= whole.Turns; turn++)
        {
            var run = new SimulatedRun(SimulatedRun.Plan, _ => 0);
            run.Run(r => r.Turns == turn);
            if (run.State.Stage is not { Completed: false, Plan.Id: "rlp" } stage)
                continue;
            var checkpoint = run.State.Checkpoints.FindLast(c => c.Stage == "rlp")?.Step ?? 0;
            if (checkpoint == 0 || checkpoint == stage.Applied)
                continue; // no step is replayed from other weights
            if (fault == "policy")
                run.Damage("rlp", weights => weights with { Policy = HashEngines.Hash(weights.Policy) });
            if (fault == "teacher")
                run.Damage("rlp", weights => weights with { Teacher = HashEngines.Hash(weights.Teacher) });
            if (fault == "data")
                run.Loading = data => data with { To = data.To with { Offset = 1 } };
            var before = run.Series();
            run.Crash();
            run.Run();

            var diverged = Assert.Single(run.Journal.OfType<ReplayDiverged>());
            Assert.Equal((what, checkpoint + 1), (diverged.What, diverged.Step));
            Assert.Equal(RunStatus.Failed, run.State.Status);
            Assert.Contains($"step {diverged.Step} of stage 'rlp'", run.State.FailureMessage);
            Assert.Equal(before, run.Series());
        }
    }

    [Fact]
    public void A_group_that_a_second_sampling_does_not_reproduce_is_found_out_before_the_step_is_learned()
    {
        // The lanes of step 3 are journaled, then the process dies before it learns; the machine that goes on samples other thoughts.
        var run = new SimulatedRun(SimulatedRun.Plan, _ => 0);
        var other = false;
        run.Sending = result => other && result.Lane == 1 ? result with { Groups = [.. result.Groups.Select(g => g with { ThoughtsSha256 = "other" })] } : result;
        run.Run(r => r.Journal.OfType<GroupsAccepted>().Count(a => a.Step == 3) == 3);
        run.Crash();
        other = true;
        run.Run();

        Assert.Equal("thoughts_sha256 of group 1", Assert.Single(run.Journal.OfType<ReplayDiverged>()).What);
        Assert.Equal(RunStatus.Failed, run.State.Status);
        Assert.DoesNotContain(run.Journal.OfType<StepApplied>(), a => a is { Stage: "rlp", Step: 3 });
    }

    [Fact]
    public void An_older_version_that_a_checkpoint_holds_wrongly_is_found_out_where_it_samples()
    {
        var run = new SimulatedRun(SimulatedRun.Stale(1), _ => 0) { Eager = true };
        run.Run(r => r.State is { Stage: { Plan.Id: "rlp", Applied: 5 } } && r.Execution.EngineStep == 5);
        run.Damage("rlp", weights => weights with { Older = weights.Older.ToDictionary(o => o.Key, o => (HashEngines.Hash(o.Value.Policy), o.Value.Teacher)) });
        run.Crash();
        run.Run();

        var diverged = Assert.Single(run.Journal.OfType<ReplayDiverged>());
        Assert.Equal(("thoughts_sha256", 5L), (diverged.What, diverged.Step)); // of policy 3, which the checkpoint of step 4 holds as an older one
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_fork_from_any_step_of_a_run_at_any_moment_comes_to_the_series_of_the_run_whatever_happens_to_either(int staleness) =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Byte.Array[0, 500], Gen.Int[1, 120], Gen.Int[0, 11]).Sample(
            (before, after, turns, at) =>
            {
                var plan = SimulatedRun.Stale(staleness);
                var run = new SimulatedRun(plan, From(before)) { Eager = true };
                run.Run(r => r.Turns >= turns && r.Journal.OfType<StepApplied>().Any());
                var applied = run.Journal.OfType<StepApplied>().ToArray();
                var (stage, step) = (applied[at % applied.Length].Stage, applied[at % applied.Length].Step - at / 11); // 11: also step 0

                var fork = run.Fork(stage, step, plan, From(after));
                Assert.Equal(RunStatus.Paused, fork.State.Status);
                Assert.Equal(applied.TakeWhile(a => a.Stage != stage).Concat(applied.Where(a => a.Stage == stage && a.Step <= step)).Select(a => a.ParametersSha256),
                    fork.Journal.OfType<StepApplied>().Select(a => a.ParametersSha256));
                fork.Run();
                AssertWhole(fork, staleness);
            },
            iter: 200);

    [Fact]
    public void A_fork_from_the_last_step_of_a_complete_run_whose_plan_has_more_steps_is_the_longer_run()
    {
        var longer = SimulatedRun.Plan with { Stages = [.. SimulatedRun.Plan.Stages.Select(s => s.Rlp ? s with { Steps = 9, CheckpointEvery = 3, Lanes = 2 } : s)] };
        var run = new SimulatedRun(SimulatedRun.Plan, _ => 0);
        run.Run();
        var fork = run.Fork("rlp", 7, longer, _ => 0);
        fork.Run();
        Assert.Equal(SimulatedRun.Expected(longer), fork.Series());
        Assert.NotEqual(SimulatedRun.Expected(longer), run.Series());
    }

    private static void AssertWhole(SimulatedRun run, int staleness)
    {
        Assert.Equal(RunStatus.Completed, run.State.Status);
        Assert.Equal(SimulatedRun.Expected(SimulatedRun.Stale(staleness)), run.Series());
        var planned = run.Journal.OfType<StepPlanned>().ToArray();
        Assert.Equal(run.Journal.OfType<StepApplied>().Select(a => (a.Stage, a.Step)), planned.Select(p => (p.Stage, p.Step)));
        Assert.All(planned, p => Assert.Equal(p.Stage == "rlp" ? Math.Max(0, p.Step - 1 - staleness) : p.Step - 1, p.PolicyVersion));
        Assert.Equal(planned.SelectMany(p => p.Lanes.SelectMany(l => l.Groups.Select(g => (p.Step, g)))).Order(),
            run.Journal.OfType<GroupsAccepted>().SelectMany(a => a.Groups.Select(g => (a.Step, g.Group))).Order());
        Assert.All(planned.Where(p => p.Stage == "rlp"), p => Assert.Equal(Enumerable.Range(0, HashEngines.BatchSize), p.Lanes.SelectMany(l => l.Groups)));
        Assert.Equal(["pretrain", "cpt", "rlp"], run.Journal.OfType<StageCompleted>().Select(c => c.Stage));
        Assert.IsType<RunCompleted>(run.Journal[^1]);
    }
}
