using Rlp.Actors.Hosting;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

/// <summary>Engines that fail, hang or lose an answer cost time and nothing else; what cannot be mended ends the run with its cause.</summary>
public sealed class SupervisionTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task An_engine_that_fails_once_in_any_call_is_replaced_and_the_run_ends_with_the_same_series(int staleness)
    {
        var recipe = Recipes.Full(staleness: staleness);
        var fail = "";
        var failed = 0;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if ($"{what} {at}" == fail && Interlocked.Exchange(ref failed, 1) == 0)
                    throw new InvalidOperationException("broken");
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines));
        await node.RunAsync("whole", recipe);
        var expected = TestNode.Series(node.Journal, "whole");
        foreach (var (call, named) in ((string, string)[])
            [
                ("pretrain open-learner -1", "OpenEngine of stage 'pretrain'"),
                ("pretrain data 0", "LoadData of stage 'pretrain'"),
                ("pretrain learn 5", "ApplyNtpStep of stage 'pretrain' step 5"),
                ("pretrain write 6", "WriteCheckpoint of stage 'pretrain'"),
                ("rlp open-learner 7", "OpenEngine of stage 'rlp'"),
                ("rlp sample 4", "of step 4 of stage 'rlp'"),
                ("rlp score 0", "of step 1 of stage 'rlp'"),
                ("rlp learn 5", "ApplyRlpStep of stage 'rlp' step 5"),
                ("rlp ema 0", "UpdateTeacher of stage 'rlp' step 1"),
                ("rlp seal 6", "SealCheckpoint of stage 'rlp'"),
                ("rlp evaluate 5", "EvaluatePolicy of stage 'rlp'"),
            ])
        {
            (fail, failed) = (call, 0);
            var runId = call.Replace(' ', '-');
            var progress = await node.RunAsync(runId, recipe);
            Assert.Equal((call, RunStatus.Completed), (call, Assert.IsType<RunEnded>(progress[^1]).Status));
            // More than one where a lane waited behind the one that failed.
            var notices = progress.OfType<RunNotice>().Select(n => n.Message).Where(n => n.Contains("broken")).ToArray();
            Assert.Contains(notices, n => n.Contains(named));
            Assert.All(notices, n => Assert.Contains("failed (infrastructure)", n));
            Assert.All(notices, n => Assert.Contains("issued again (1 of 3)", n));
            Assert.Equal(expected, TestNode.Series(node.Journal, runId));
        }
    }

    [Theory]
    [InlineData("pretrain", "write", 7)]
    [InlineData("rlp", "seal", 9)]
    public async Task A_disk_that_takes_no_checkpoint_is_waited_for_and_no_step_is_done_again(string stage, string call, int steps)
    {
        var recipe = Recipes.Full();
        var refusals = 6; // more than a failure is issued again
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (what == $"{stage} {call}" && at == 6 && --refusals >= 0)
                    throw new IOException("No space left on device : '/data/policy'");
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("full"), engines));
        var progress = await node.RunAsync("r", recipe);

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        var notices = progress.OfType<RunNotice>().Select(n => n.Message).ToArray();
        Assert.Equal(7, notices.Length);
        Assert.All(notices[..6], n => Assert.StartsWith($"the checkpoint of stage '{stage}' step 6 cannot be written", n));
        Assert.All(notices[..6], n => Assert.Contains("No space left on device : '/data/policy'. Free space there", n));
        Assert.Contains("is written after", notices[6]);
        Assert.Equal(steps, engines.Calls.Count(c => c.StartsWith($"{stage} learn ", StringComparison.Ordinal)));
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
    }

    [Fact]
    public async Task A_run_that_waits_for_room_and_is_asked_to_stop_pauses_at_once_and_continues_from_the_checkpoint_before()
    {
        var recipe = Recipes.Full();
        var full = true;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (full && what == "rlp write" && at == 6)
                    throw new IOException("full");
            },
        };
        var options = TestNode.OptionsFor(folder.Sub("full"), engines) with { RestartBackoff = TimeSpan.FromMinutes(5) };
        await using var node = await TestNode.StartAsync(options);
        var started = await node.Runs.StartAsync("r", recipe);
        await TestNode.NoticeAsync(started, "the run waits and tries again in 60 s");
        Assert.Contains("for a disk that takes its checkpoint", (await node.Runs.ReportAsync("r")).Doing);

        var stopped = await node.Runs.StopAsync("r", "enough");

        Assert.Equal((RunStatus.Paused, 3L), (stopped.Status, stopped.Checkpoint!.Step));
        Assert.DoesNotContain(Directory.GetDirectories(Path.Combine(options.RunFolder("r"), "checkpoints", "rlp")), d => d.Contains("00000006"));
        full = false;
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
    }

    [Fact]
    public async Task A_disk_that_stays_full_fails_the_run_in_the_end_with_what_to_do_and_the_same_run_continues_once_there_is_room()
    {
        var recipe = Recipes.Full();
        var full = true;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (full && what == "rlp seal" && at == 6)
                    throw new UnauthorizedAccessException("read-only");
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("full"), engines) with { StorageGiveUpAfter = TimeSpan.FromMilliseconds(200) });
        var ended = Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]);
        Assert.Equal((RunStatus.Failed, FailureKind.Infrastructure), (ended.Status, ended.Kind));
        Assert.Contains("read-only, since", ended.Message);
        Assert.Contains("start the same run again", ended.Message);

        full = false;
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
    }

    [Fact]
    public async Task A_prefetch_that_fails_is_no_failure_while_the_step_gets_its_data()
    {
        var failed = 0;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (what == "pretrain data" && at == 8 && Interlocked.Exchange(ref failed, 1) == 0)
                    throw new IOException("broken");
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines));
        var progress = await node.RunAsync("r", Recipes.Full());
        Assert.Equal((1, RunStatus.Completed), (failed, Assert.IsType<RunEnded>(progress[^1]).Status));
        Assert.Equal(2, engines.Calls.Count(c => c == "pretrain data 8"));
    }

    [Theory]
    [InlineData("pretrain learn", 5, typeof(IOException), FailureKind.Infrastructure, "ApplyNtpStep of stage 'pretrain' step 5 failed 4 times")]
    [InlineData("rlp learn", 5, typeof(InvalidDataException), FailureKind.Data, "ApplyRlpStep of stage 'rlp' step 5 failed 4 times")]
    [InlineData("rlp sample", 2, typeof(IOException), FailureKind.Infrastructure, "of step 2 of stage 'rlp' failed 4 times")]
    [InlineData("cpt data", 4, typeof(InvalidDataException), FailureKind.Data, "LoadData of stage 'cpt' failed 4 times")]
    public async Task A_call_that_fails_every_time_fails_the_run_with_its_cause_and_the_same_run_continues_once_that_is_mended(
        string call, long step, Type exception, FailureKind kind, string message)
    {
        var recipe = Recipes.Full();
        var broken = true;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (broken && what == call && at == step)
                    throw (Exception)Activator.CreateInstance(exception, "broken")!;
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("failing"), engines));
        var ended = Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]);
        Assert.Equal((RunStatus.Failed, kind), (ended.Status, ended.Kind));
        Assert.Contains(message, ended.Message);
        Assert.Contains("broken", ended.Message);
        Assert.Equal(ended.Message, Assert.IsType<RunFailed>(node.Journal.Events("r")[^1]).Message);
        // A prefetch that failed comes on top where there was time for one.
        Assert.InRange(engines.Calls.Count(c => c == $"{call} {step}"), 4, call == "cpt data" ? 5 : 4);

        broken = false;
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
    }

    [Theory]
    [InlineData("pretrain learn", 2, "ApplyNtpStep step 2 has been with /user/node/learner since")]
    [InlineData("rlp evaluate", 5, "EvaluatePolicy has been with /user/node/rollout since")]
    [InlineData("rlp sample", 1, "of step 1 has been at work since")]
    public async Task A_call_that_takes_long_is_named_while_it_goes_on_and_then_counts(string call, long step, string notice)
    {
        var recipe = Recipes.Full();
        var gate = new CallGate(call, step);
        var options = TestNode.OptionsFor(folder.Sub("slow"), new FakeEngines { OnCall = gate.Pass }) with { WarnAfter = TimeSpan.FromMilliseconds(100) };
        await using var node = await TestNode.StartAsync(options);
        var started = await node.Runs.StartAsync("r", recipe);
        await gate.Reached;
        await TestNode.NoticeAsync(started, notice);
        gate.Open();
        var progress = await node.EndAsync("r", started);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
    }

    [Fact]
    public async Task While_an_engine_works_the_run_answers_and_a_stop_waits_for_the_call_to_end()
    {
        var gate = new CallGate("rlp learn", 2);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines { OnCall = gate.Pass }));
        var started = await node.Runs.StartAsync("r", Recipes.Full());
        await gate.Reached;

        var report = await node.Runs.ReportAsync("r");
        Assert.Equal((RunStatus.Running, "rlp", 1L, 9L), (report.Status, report.Stage, report.Step, report.Steps));
        Assert.Contains("ApplyRlpStep on Learner since", report.Doing);
        Assert.Equal("ApplyRlpStep of run 'r'", (await node.Runs.WorkerAsync(Role.Learner)).What);
        Assert.Equal("r", Assert.Single((await node.Runs.ListAsync()).Runs).RunId);
        var stop = node.Runs.StopAsync("r", "enough");
        await node.Runs.ReportAsync("r");
        Assert.False(stop.IsCompleted);

        gate.Open();
        var stopped = await stop;
        Assert.Equal((RunStatus.Paused, 2L), (stopped.Status, stopped.Checkpoint!.Step));
        Assert.Equal("enough", Assert.IsType<RunPaused>(node.Journal.Events("r")[^1]).Reason);
        Assert.Equal(RunStatus.Paused, Assert.IsType<RunEnded>((await node.EndAsync("r", started))[^1]).Status);
        Assert.Equal(stopped.Checkpoint, (await node.Runs.StopAsync("r", "again")).Checkpoint);
    }

    [Theory]
    [InlineData("pretrain learn", 3, "learner")]
    [InlineData("rlp learn", 4, "learner")]
    [InlineData("rlp sample", 3, "rollout")]
    public async Task An_answer_that_is_lost_is_asked_for_again_after_the_deadline_and_the_step_is_learned_once(string call, long step, string worker)
    {
        var recipe = Recipes.Full();
        var gate = new CallGate(call, step);
        var engines = new FakeEngines { OnCall = gate.Pass };
        var options = TestNode.OptionsFor(folder.Sub("losing"), engines) with { EngineDeadline = TimeSpan.FromMilliseconds(300), Retries = 100 };
        await using var node = await TestNode.StartAsync(options);
        var started = await node.Runs.StartAsync("r", recipe);
        await gate.Reached;
        node.System.ActorSelection($"/user/node/{worker}").Tell(new CancelWork { RunId = "r" }); // the answer will reach nobody
        await node.Runs.WorkerAsync(Role.Learner);
        gate.Open();

        var progress = await node.EndAsync("r", started);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Contains(progress.OfType<RunNotice>(), n => n.Message.Contains("within 00:00:00.3"));
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
        if (worker == "learner")
            Assert.Single(engines.Calls, c => c == $"{call} {step}");
    }

    [Fact]
    public async Task A_run_whose_folder_another_process_holds_is_refused_by_the_lock_and_starts_once_it_is_free()
    {
        var recipe = Recipes.Full();
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        var held = Path.Combine(Directory.CreateDirectory(node.Options.RunFolder("r")).FullName, "lock");
        await using (new FileStream(held, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
        {
            var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("r", recipe));
            Assert.Equal(FailureKind.Infrastructure, refusal.Kind);
            Assert.Contains(held, refusal.Message);
            Assert.Contains("Another process has the run open", refusal.Message);
            Assert.Empty(node.Journal.Events("r"));
        }
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
    }

    [Fact]
    public async Task A_run_under_way_on_one_node_is_refused_by_another_with_the_same_folder_which_then_sees_it_complete()
    {
        var gate = new CallGate("pretrain learn", 1);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines { OnCall = gate.Pass }));
        var started = await node.Runs.StartAsync("r", Recipes.Full());
        await gate.Reached;
        await using var other = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => other.Runs.StartAsync("r", Recipes.Full()));
        Assert.Contains(Path.Combine(node.Options.RunFolder("r"), "lock"), refusal.Message);

        gate.Open();
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.EndAsync("r", started))[^1]).Status);
        await TestNode.EventuallyAsync(
            async () =>
            {
                try
                {
                    return (await other.Runs.StartAsync("r", Recipes.Full())).Accepted.AlreadyComplete;
                }
                catch (RunRefusedException)
                {
                    return false; // the first node's entity is still going
                }
            },
            "the other node finds the run complete");
    }

    [Fact]
    public async Task Another_recipe_or_seed_under_the_id_of_a_run_is_refused_by_both_digests()
    {
        var (recipe, other) = (Recipes.Full(), Recipes.Full(seed: 2));
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        await node.RunAsync("r", recipe);
        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("r", other));
        Assert.Equal(FailureKind.Configuration, refusal.Kind);
        Assert.Contains(recipe.Digest, refusal.Message);
        Assert.Contains(other.Digest, refusal.Message);
        Assert.True((await node.Runs.StartAsync("r", recipe)).Accepted.AlreadyComplete);
    }

    [Fact]
    public async Task A_node_that_is_set_to_continues_what_was_running_without_being_asked()
    {
        var recipe = Recipes.Full();
        TestNode? cut = null;
        var engines = new FakeEngines { OnCall = (what, at) => { if (what == "rlp learn" && at == 4) cut!.AbortDuringCallOf("learner"); } };
        var options = TestNode.OptionsFor(folder.Sub("cut"), engines);
        await using (cut = await TestNode.StartAsync(options with { Settings = options.Settings + TestNode.NoCoordinatedShutdown }))
        {
            await cut.RunAsync("r", recipe);
            await cut.System.WhenTerminated;
        }
        await using var next = await TestNode.StartAsync(options with { Engines = new FakeEngines(), ContinueRunning = true });
        await TestNode.EventuallyAsync(
            async () => (await next.Runs.ListAsync()).Runs is [{ RunId: "r", Status: RunStatus.Completed }], "the run is continued and completed");
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(next.Journal, "r"));
    }
}
