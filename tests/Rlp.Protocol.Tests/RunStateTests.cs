using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Tests;

/// <summary>A journal that no run could have written is refused, not read as something else.</summary>
public sealed class RunStateTests
{
    private static readonly RunState Planned = RunState.Empty
        .Apply(new RunCreated { RunId = "r", Plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", Rlp = true, Steps = 2, Lanes = 1 }] } })
        .Apply(new StageStarted { Stage = "rlp" })
        .Apply(new StepPlanned { Stage = "rlp", Step = 1, Lanes = [new LanePlan { Groups = [0, 1] }], CursorTo = new WireCursor { Document = 2 } });

    private static GroupsAccepted Groups(params int[] groups) => new() { Stage = "rlp", Step = 1, Groups = [.. groups.Select(g => new AcceptedGroup { Group = g })] };

    private static string Refusal(RunState state, IRunEvent e) => Assert.Throws<InvalidOperationException>(() => state.Apply(e)).Message;

    [Fact]
    public void A_group_accepted_twice_is_refused_by_its_number() =>
        Assert.Contains("accepts group 1 of stage 'rlp' step 1 twice", Refusal(Planned.Apply(Groups(0, 1)), Groups(1)));

    [Fact]
    public void A_step_applied_without_one_of_its_groups_is_refused_by_the_group() =>
        Assert.Contains("without its group 1", Refusal(Planned.Apply(Groups(0)), new StepApplied { Stage = "rlp", Step = 1 }));

    [Fact]
    public void A_step_applied_without_a_plan_is_refused() =>
        Assert.Contains("applies step 2 of stage 'rlp', which it did not plan", Refusal(
            Planned.Apply(Groups(0, 1)).Apply(new StepApplied { Stage = "rlp", Step = 1 }), new StepApplied { Stage = "rlp", Step = 2 }));

    [Fact]
    public void An_event_of_another_stage_or_step_is_refused_by_both()
    {
        Assert.Contains("stage 'cpt' step 1 cannot follow stage 'rlp' with 0 steps applied", Refusal(Planned, new StepApplied { Stage = "cpt", Step = 1 }));
        Assert.Contains("stage 'rlp' step 3 cannot follow stage 'rlp' with 0 steps applied", Refusal(Planned, new StepPlanned { Stage = "rlp", Step = 3 }));
    }

    [Fact]
    public void Steps_are_planned_one_after_another_and_no_further_ahead_than_the_staleness()
    {
        Assert.Contains("a staleness of 0 does not allow", Refusal(Planned, new StepPlanned { Stage = "rlp", Step = 2 }));
        var ahead = RunState.Empty
            .Apply(new RunCreated { RunId = "r", Plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", Rlp = true, Steps = 9, Lanes = 1, Staleness = 1 }] } })
            .Apply(new StageStarted { Stage = "rlp" })
            .Apply(new StepPlanned { Stage = "rlp", Step = 1, Lanes = [new LanePlan { Groups = [0] }] })
            .Apply(new StepPlanned { Stage = "rlp", Step = 2, Lanes = [new LanePlan { Groups = [0] }] });
        Assert.Contains("plans step 3", Refusal(ahead, new StepPlanned { Stage = "rlp", Step = 3 }));
        Assert.Contains("stage 'rlp' step 2 cannot follow", Refusal(ahead, new StepPlanned { Stage = "rlp", Step = 2 }));
        Assert.Contains("stage 'rlp' step 3 cannot follow", Refusal(ahead, Groups(0) with { Step = 3 }));
        // The groups of the second step are not those of the first.
        Assert.Contains("without its group 0", Refusal(ahead.Apply(Groups(0) with { Step = 2 }), new StepApplied { Stage = "rlp", Step = 1 }));
        var after = ahead.Apply(Groups(0) with { Step = 2 }).Apply(Groups(0)).Apply(new StepApplied { Stage = "rlp", Step = 1 }).Stage!;
        Assert.Equal((2, 1), ((int)Assert.Single(after.Planned).Plan.Step, after.Planned[0].Accepted.Count));
    }

    [Fact]
    public void A_failed_run_that_is_resumed_has_no_failure_any_more()
    {
        var failed = Planned.Apply(new RunFailed { Kind = FailureKind.Data, Message = "why" });
        Assert.Equal((RunStatus.Failed, FailureKind.Data, "why"), (failed.Status, failed.FailureKind, failed.FailureMessage));
        var resumed = failed.Apply(new RunResumed());
        Assert.Equal((RunStatus.Running, FailureKind.None, ""), (resumed.Status, resumed.FailureKind, resumed.FailureMessage));
    }

    [Fact]
    public void Seconds_add_up_over_the_stage_and_the_cursor_follows_the_applied_step()
    {
        var after = Planned.Apply(Groups(0, 1)).Apply(new StepApplied { Stage = "rlp", Step = 1, Seconds = 3 }).Stage!;
        Assert.Equal((1, 3.0, 2L), (after.Applied, after.Seconds, after.Cursor.Document));
        Assert.Empty(after.Planned);
    }
}
