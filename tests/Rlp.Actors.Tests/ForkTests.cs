using Rlp.Actors.Hosting;
using Rlp.Actors.Replays;
using Rlp.Actors.Runs;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines.Torch;

namespace Rlp.Actors.Tests;

/// <summary>A run becomes two: each goes on for itself, to the same series.</summary>
public sealed class ForkTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(2, 0)] // its checkpoint is there
    [InlineData(3, 0)] // executed again from that of step 2
    [InlineData(3, 2)]
    public async Task A_run_that_is_going_on_is_forked_by_another_node_and_does_not_notice(int step, int staleness)
    {
        var recipe = Recipes.Arithmetic(staleness: staleness);
        var options = TestNode.OptionsFor(folder.Path, new TorchEngineFactory());
        using var forked = new ManualResetEventSlim();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var first = await TestNode.StartAsync(options with
        {
            OnJournal = (events, durable) =>
            {
                if (!durable || !events.Any(e => e is StepApplied { Stage: "rlp", Step: 3 }))
                    return;
                reached.TrySetResult();
                Assert.True(forked.Wait(TimeSpan.FromSeconds(60)), "the fork did not come");
            },
        });
        var started = await first.Runs.StartAsync("r", recipe);
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(60));

        await using (var second = await TestNode.StartAsync(options))
        {
            await Fork(second, "fork", step);
            Assert.Equal(RunStatus.Paused, (await second.Runs.ReportAsync("fork")).Status);
            Assert.Empty(Directory.GetDirectories(folder.Path, ".*"));
            var refused = await Assert.ThrowsAsync<RunRefusedException>(() => second.Runs.ForkAsync(Command("fork", step)));
            Assert.Contains("run 'fork' exists", refused.Message);
            Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await second.RunAsync("fork", recipe))[^1]).Status);
        }
        forked.Set();
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await first.EndAsync("r", started))[^1]).Status);

        var series = TestNode.Series(first.Journal, "r");
        Assert.Equal(4 + 3 + 3 + 5, series.Count);
        Assert.Equal(series, TestNode.Series(first.Journal, "fork"));
        Assert.Equal("r", first.Journal.State("fork").Lineage?.RunId);
        Assert.Null(first.Journal.State("r").Lineage);
        // What the fork began with outlasts the checkpoints that are pruned: its steps can be executed again, and it can be forked itself.
        Assert.Null(RunVerification.Of(Replay(first, "fork"), "rlp", step + 1, 5, _ => { }, _ => { }).Diverged);
        Assert.Throws<ReplayImpossibleException>(() => Replay(first, "fork").Open("rlp", step));
        Assert.Throws<ReplayImpossibleException>(() => Replay(first, "fork").Open("cpt", 1));

        ForkRun Command(string runId, long at, params WireCheckpoint[] made) => new()
        {
            RunId = runId,
            FromRunId = "r",
            Stage = "rlp",
            Step = at,
            RecipeJson = recipe.ToJson(),
            RecipeSha256 = recipe.Digest,
            Plan = RunPlans.Of(recipe),
            Checkpoints = made,
        };

        async Task Fork(TestNode node, string runId, long at)
        {
            var source = Replay(node, "r");
            using var made = ForkFolder.Begin(folder.Path, runId);
            made.TakeOver(source, node.Options.RunFolder("r"), "rlp", RunPlans.Of(recipe));
            made.Reach(source, node.Options.RunFolder("r"), "rlp", at, _ => { }, _ => { });
            made.Finish();
            await node.Runs.ForkAsync(Command(runId, at, [.. made.Checkpoints]));
        }
    }

    [Fact]
    public void A_fork_that_was_interrupted_leaves_nothing_that_the_next_one_would_take_for_its_own()
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, ".fork.forking", "checkpoints", "rlp", "step-00000001"));
        using (ForkFolder.Begin(folder.Path, "fork"))
        {
            Assert.Empty(Directory.GetDirectories(Path.Combine(folder.Path, ".fork.forking")));
            Assert.Contains("cannot be made", Assert.Throws<RunRefusedException>(() => ForkFolder.Begin(folder.Path, "fork")).Message);
        }
        Assert.Empty(Directory.GetDirectories(folder.Path, ".*"));
        Directory.CreateDirectory(Path.Combine(folder.Path, "r"));
        Assert.Contains("exists; choose another run id", Assert.Throws<RunRefusedException>(() => ForkFolder.Begin(folder.Path, "r")).Message);
    }

    private static RunReplay Replay(TestNode node, string runId) => new(node.Options.Engines, node.Journal.Events(runId), node.Options.RunFolder(runId));
}
