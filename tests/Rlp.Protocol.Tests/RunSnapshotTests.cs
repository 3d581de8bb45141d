using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Tests;

/// <summary>A snapshot and the events after it are the same as all events.</summary>
public sealed class RunSnapshotTests
{
    private static readonly List<IRunEvent> Journal = Whole(SimulatedRun.Stale(2)).Journal;

    private static SimulatedRun Whole(RunPlan plan)
    {
        var run = new SimulatedRun(plan, _ => 0) { Eager = true };
        run.Run();
        return run;
    }

    private static RunState StateAfter(int events) => Journal.Take(events).Aggregate(RunState.Empty, (s, e) => s.Apply(e));

    [Fact]
    public void Wherever_it_is_taken_a_snapshot_gives_the_state_of_the_events_before_it()
    {
        for (var at = 0; at <= Journal.Count; at++)
        {
            var snapshot = RunSnapshot.Of(StateAfter(at));
            var read = (RunSnapshot)MessageRegistry.Deserialize("run-snapshot/1", MessageRegistry.Serialize(snapshot));
            Assert.Equal(snapshot.Sha256, RunSnapshot.Of(read.ToState()).Sha256);
            // What follows is decided by the same state: every later event applies, and the end is the same.
            var end = Journal.Skip(at).Aggregate(read.ToState(), (s, e) => s.Apply(e));
            Assert.Equal(RunSnapshot.Of(StateAfter(Journal.Count)).Sha256, RunSnapshot.Of(end).Sha256);
        }
    }

    [Fact]
    public void A_damaged_snapshot_is_refused_wherever_a_bit_of_it_differs()
    {
        var snapshot = RunSnapshot.Of(StateAfter(40));
        for (var i = 0; i < snapshot.State.Length; i++)
        {
            var damaged = (byte[])snapshot.State.Clone();
            damaged[i] ^= 1;
            Assert.Contains("is damaged", Assert.Throws<InvalidDataException>(() => (snapshot with { State = damaged }).ToState()).Message);
        }
    }

    [Fact]
    public void A_snapshot_of_another_version_is_refused_by_its_manifest() => Assert.Contains(
        "'snapshot-state/2', which this version does not read",
        Assert.Throws<InvalidDataException>(() => (RunSnapshot.Of(StateAfter(40)) with { Manifest = "snapshot-state/2" }).ToState()).Message);

    [Fact]
    public void A_state_keeps_the_steps_after_the_older_of_two_checkpoints_and_counts_all()
    {
        var plan = SimulatedRun.Plan with { Stages = [.. SimulatedRun.Plan.Stages.Select(s => s with { Steps = 200, CheckpointEvery = 10 })] };
        var state = RunState.Empty;
        long applied = 0;
        foreach (var e in Whole(plan).Journal)
        {
            state = state.Apply(e);
            applied = e switch { StageStarted => 0, StepApplied => applied + 1, _ => applied };
            if (state.Stage is not { } stage)
                continue;
            Assert.Equal(applied, stage.Applied);
            var oldest = state.UsableCheckpoints(stage.Plan.Id).LastOrDefault()?.Step ?? 0;
            for (var step = oldest + 1; step <= applied; step++)
                Assert.Equal(step, stage.StepAt(step)!.Applied.Step);
            Assert.True(stage.Steps.Count <= 20, $"{stage.Steps.Count} steps are kept at step {applied}");
        }
        Assert.Equal(200, applied);
    }

    [Fact]
    public void A_replay_from_before_the_kept_steps_takes_them_from_the_journal_and_reproduces_them()
    {
        var run = new SimulatedRun(SimulatedRun.Plan, _ => 0);
        run.Run(r => r.State.Stage is { Plan.Id: "rlp", Applied: 6, StepsBefore: > 0 });
        run.LoseCheckpoints("rlp");
        run.Crash();
        run.Run();
        Assert.True(run.Recalls > 0, "no step was taken from the journal");
        Assert.Equal(SimulatedRun.Expected(SimulatedRun.Plan), run.Series());
    }
}
