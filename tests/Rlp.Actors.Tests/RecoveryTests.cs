using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines.Torch;

namespace Rlp.Actors.Tests;

/// <summary>Wherever a run is cut off, it continues to the same series.</summary>
public sealed class RecoveryTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0, JournalProvider.Sqlite)]
    [InlineData(2, JournalProvider.Sqlite)]
    [InlineData(1, JournalProvider.PostgreSql)]
    public async Task A_run_cut_off_before_or_after_any_write_of_its_journal_continues_to_the_same_series(int staleness, JournalProvider provider)
    {
        using var database = TestDatabase.Create(provider, folder.Path);
        var recipe = Recipes.Full(pretrain: 2, cpt: 1, rlp: 4, checkpointEvery: 3, staleness: staleness);
        var cutAt = int.MaxValue;
        var cutAfter = false;
        var writes = 0;
        var options = TestNode.OptionsFor(folder.Path, new FakeEngines()) with
        {
            Journal = database.Journal with { SnapshotEvery = 7 },
            OnJournal = (_, durable) =>
            {
                if (durable == cutAfter && ++writes == cutAt)
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("whole", recipe);
        var expected = TestNode.Series(node.Journal, "whole");
        Assert.Equal(2 + 1 + 4, expected.Count);

        foreach (var after in (bool[])[false, true])
            for (var cut = 1; ; cut++)
            {
                (cutAt, cutAfter, writes) = (cut, after, 0);
                var runId = $"cut-{(after ? "after" : "before")}-{cut}";
                try
                {
                    var first = Assert.IsType<RunEnded>((await node.RunAsync(runId, recipe))[^1]);
                    if (writes < cut)
                    {
                        // How many writes there are depends on timing: a step's plan is written with the step before it where its data is there.
                        Assert.InRange(cut, 25, 60);
                        Assert.Equal(RunStatus.Completed, first.Status);
                        break;
                    }
                    Assert.Contains("cut off here", first.Message);
                }
                catch (RunRefusedException e) when (cut == 1)
                {
                    Assert.Contains("cut off here", e.Message); // the run's creation itself
                }
                cutAt = int.MaxValue;
                var second = await node.RunAsync(runId, recipe);
                if (second.Count > 0) // none: the cut came after RunCompleted was durable
                    Assert.Equal((runId, RunStatus.Completed), (runId, Assert.IsType<RunEnded>(second[^1]).Status));
                Assert.Equal(expected, TestNode.Series(node.Journal, runId));
                AssertNothingTwice(node.Journal.Events(runId));
            }
    }

    [Theory]
    [InlineData("pretrain learn", 3, "learner", 2, 0)]
    [InlineData("rlp sample", 1, "rollout", 11, 0)]
    [InlineData("rlp learn", 5, "learner", 15, 0)]
    [InlineData("rlp learn", 5, "learner", 15, 1)]
    [InlineData("rlp learn", 5, "learner", 15, 3)]
    [InlineData("rlp seal", 6, "learner", 17, 0)]
    [InlineData("rlp seal", 6, "learner", 17, 1)]
    [InlineData("rlp evaluate", 20, "rollout", 20, 0)]
    public async Task A_node_whose_actor_system_ends_during_an_engine_call_is_followed_by_one_that_continues(
        string call, long step, string worker, int stepsBefore, int staleness)
    {
        var recipe = Recipes.Full(staleness: staleness);
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        var runs = folder.Sub("cut");
        TestNode? cut = null;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (what == call && at == step)
                    cut!.AbortDuringCallOf(worker);
            },
        };
        var options = TestNode.OptionsFor(runs, engines);
        await using (cut = await TestNode.StartAsync(options with { Settings = options.Settings + TestNode.NoCoordinatedShutdown }))
        {
            await cut.RunAsync("r", recipe);
            await cut.System.WhenTerminated;
            Assert.DoesNotContain(cut.Journal.Events("r"), e => e is RunCompleted or RunFailed or RunPaused);
            Assert.Equal(expected.Take(stepsBefore), TestNode.Series(cut.Journal, "r"));
        }

        await using var next = await TestNode.StartAsync(TestNode.OptionsFor(runs, new FakeEngines()));
        var progress = await next.RunAsync("r", recipe);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Equal(expected, TestNode.Series(next.Journal, "r"));
        AssertNothingTwice(next.Journal.Events("r"));
        Assert.Contains(next.Journal.Events("r"), e => e is RunResumed { After: "interrupted" });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task A_stopped_run_pauses_at_a_checkpoint_and_continues_to_the_same_series(int staleness)
    {
        var recipe = Recipes.Full(rlp: 30, checkpointEvery: 100, staleness: staleness);
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("stopped"), new FakeEngines()));
        var resumptions = 0;
        for (var stopAt = 5; ; stopAt += 9)
        {
            var started = await node.Runs.StartAsync("r", recipe);
            if (started.Accepted.AlreadyComplete)
                break;
            Task<RunStopped>? stop = null;
            RunEnded? ended = null;
            await foreach (var message in started.Progress.ReadAllAsync())
            {
                if (message is StepProgress { Applied: { Stage: "rlp", Step: var step } } && step >= stopAt)
                    stop ??= node.Runs.StopAsync("r", "test");
                ended = message as RunEnded;
            }
            if (stop is null || (await stop).Status == RunStatus.Completed)
                continue;
            resumptions++;
            Assert.Equal(RunStatus.Paused, ended!.Status);
            var checkpoint = (await stop).Checkpoint!;
            Assert.Equal(node.Journal.State("r").Stage!.Applied, checkpoint.Step);
            Assert.True(Directory.Exists(checkpoint.Path));
        }
        Assert.True(resumptions >= 2);
        Assert.Equal(expected, TestNode.Series(node.Journal, "r"));
        AssertNothingTwice(node.Journal.Events("r"));
    }

    [Fact]
    public async Task Replayed_steps_are_reproduced_and_not_journaled_again()
    {
        var recipe = Recipes.Full(rlp: 9, checkpointEvery: 4, evaluateEvery: 0);
        var engines = new FakeEngines();
        var cut = true;
        var options = TestNode.OptionsFor(folder.Path, engines) with
        {
            OnJournal = (events, durable) =>
            {
                if (cut && durable && events[0] is StepApplied { Stage: "rlp", Step: 7 })
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("r", recipe);
        cut = false;
        var progress = await node.RunAsync("r", recipe);

        Assert.Equal([5L, 6L, 7L], progress.OfType<StepProgress>().Where(s => s.Replayed).Select(s => s.Applied.Step));
        Assert.Equal(3, Assert.Single(progress.OfType<StageOpened>(), s => s.Stage == "rlp" && s.Replaying > 0).Replaying);
        AssertNothingTwice(node.Journal.Events("r"));
    }

    [Fact]
    public async Task A_replay_that_does_not_reproduce_the_journal_fails_the_run_and_names_the_digest()
    {
        var recipe = Recipes.Full(checkpointEvery: 4);
        var cut = true;
        var options = TestNode.OptionsFor(folder.Path, new FakeEngines()) with
        {
            OnJournal = (events, durable) =>
            {
                if (cut && durable && events[0] is StepApplied { Stage: "rlp", Step: 6 })
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("r", recipe);
        cut = false;
        // A checkpoint of other weights with the right manifest: what a faulty disk or another machine amounts to.
        var teacher = Path.Combine(folder.Path, "r", "checkpoints", "rlp", "step-00000004", "teacher");
        File.Copy(Path.Combine(folder.Path, "r", "checkpoints", "rlp", "step-00000004", "policy"), teacher, overwrite: true);
        var progress = await node.RunAsync("r", recipe);

        var ended = Assert.IsType<RunEnded>(progress[^1]);
        Assert.Equal(RunStatus.Failed, ended.Status);
        Assert.Contains("step 5 of stage 'rlp'", ended.Message);
        Assert.Equal("reward_mean", Assert.Single(node.Journal.Events("r").OfType<ReplayDiverged>()).What);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("manifest")]
    [InlineData("policy")]
    [InlineData("policy-5")] // an older version that later steps are sampled with
    [InlineData("teacher-5")]
    public async Task A_damaged_checkpoint_makes_the_run_fall_back_to_the_one_before_and_say_so(string damage)
    {
        var recipe = Recipes.Full(rlp: 12, checkpointEvery: 3, evaluateEvery: 0, staleness: 1);
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        var cut = true;
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            OnJournal = (events, durable) =>
            {
                if (cut && durable && events[0] is StepApplied { Stage: "rlp", Step: 7 })
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("r", recipe);
        cut = false;
        var newest = Path.Combine(node.Options.RunFolder("r"), "checkpoints", "rlp", "step-00000006");
        if (damage == "missing")
            Directory.Delete(newest, recursive: true);
        else
            File.WriteAllText(Path.Combine(newest, damage == "manifest" ? "manifest.json" : damage), "damaged");
        var progress = await node.RunAsync("r", recipe);

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Contains(progress.OfType<RunNotice>(), n => n.Message.Contains("step 6 cannot be used"));
        Assert.Equal([4L, 5L, 6L, 7L], progress.OfType<StepProgress>().Where(s => s.Replayed).Select(s => s.Applied.Step));
        Assert.Equal(expected, TestNode.Series(node.Journal, "r"));
    }

    [Fact]
    public async Task A_lost_final_checkpoint_that_a_stage_starts_from_fails_the_run_with_what_to_do()
    {
        var recipe = Recipes.Full();
        var options = TestNode.OptionsFor(folder.Path, new FakeEngines()) with
        {
            OnJournal = (events, durable) =>
            {
                if (!durable && events[0] is StageStarted { Stage: "cpt" })
                    Directory.Delete(Path.Combine(folder.Path, "r", "checkpoints", "pretrain", "step-00000007"), recursive: true);
            },
        };
        await using var node = await TestNode.StartAsync(options);
        var ended = Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]);
        Assert.Equal((RunStatus.Failed, FailureKind.Data), (ended.Status, ended.Kind));
        Assert.Contains("put the folder back", ended.Message);
    }

    [Fact]
    public async Task A_damaged_checkpoint_of_the_real_engines_is_named_by_its_file_and_the_one_before_is_used()
    {
        var recipe = Recipes.Arithmetic();
        var cut = false;
        var options = TestNode.OptionsFor(folder.Path, new TorchEngineFactory()) with
        {
            OnJournal = (events, durable) =>
            {
                if (cut && durable && events[0] is StepApplied { Stage: "rlp", Step: 5 })
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("whole", recipe);
        cut = true;
        await node.RunAsync("r", recipe);
        cut = false;
        var damaged = Path.Combine(node.Options.RunFolder("r"), "checkpoints", "rlp", "step-00000004", "policy.safetensors");
        var bytes = File.ReadAllBytes(damaged);
        bytes[^3] ^= 1;
        File.WriteAllBytes(damaged, bytes);
        var progress = await node.RunAsync("r", recipe);

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Contains(damaged, Assert.Single(progress.OfType<RunNotice>(), n => n.Message.Contains("step 4 cannot be used")).Message);
        Assert.Equal([3L, 4L, 5L], progress.OfType<StepProgress>().Where(s => s.Replayed).Select(s => s.Applied.Step));
        Assert.Equal(TestNode.Series(node.Journal, "whole"), TestNode.Series(node.Journal, "r"));
    }

    [Fact]
    public async Task A_checkpoint_that_was_being_written_when_the_process_ended_is_named_and_deleted()
    {
        var recipe = Recipes.Full(checkpointEvery: 4);
        var cut = true;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (cut && what == "rlp seal" && at == 4)
                    throw new InvalidOperationException("broken");
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines) with { Retries = 0 });
        Assert.Equal(RunStatus.Failed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        var unfinished = Path.Combine(node.Options.RunFolder("r"), "checkpoints", "rlp", "step-00000004.tmp");
        Assert.True(Directory.Exists(unfinished));
        cut = false;
        var progress = await node.RunAsync("r", recipe);

        Assert.Contains(progress.OfType<RunNotice>(), n => n.Message.Contains(unfinished) && n.Message.Contains("deleted"));
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.DoesNotContain(Directory.GetDirectories(Path.GetDirectoryName(unfinished)!), d => d.EndsWith(".tmp", StringComparison.Ordinal));
        AssertNothingTwice(node.Journal.Events("r"));
    }

    internal static void AssertNothingTwice(IReadOnlyList<IRunEvent> events)
    {
        var steps = events.OfType<StepApplied>().Select(e => (e.Stage, e.Step)).ToArray();
        Assert.Equal(steps.Distinct(), steps);
        var groups = events.OfType<GroupsAccepted>().SelectMany(e => e.Groups.Select(g => (e.Stage, e.Step, g.Group))).ToArray();
        Assert.Equal(groups.Distinct(), groups);
    }
}
