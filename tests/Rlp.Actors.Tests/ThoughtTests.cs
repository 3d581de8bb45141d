using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Thoughts;

namespace Rlp.Actors.Tests;

/// <summary>What a run keeps of its thoughts, and that it needs none of it.</summary>
public sealed class ThoughtTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private ThoughtFolder Kept(string run = "r") => new(Path.Combine(folder.Path, run));

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public async Task Every_step_s_thoughts_are_those_that_the_journal_knows(int staleness)
    {
        await using (var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines())))
            Assert.Empty((await node.RunAsync("r", Recipes.Full(staleness: staleness))).OfType<RunNotice>());
        Assert.Equal(Enumerable.Range(1, 9).Select(s => (long)s), Kept().Steps("rlp"));
        Assert.Empty(Kept().Steps("pretrain"));
        await AgreeWithJournalAsync(steps: 9);
    }

    private async Task AgreeWithJournalAsync(int steps)
    {
        var events = new Journals.RunJournal(TestNode.OptionsFor(folder.Path, new FakeEngines()).Journal).Events("r");
        var accepted = events.OfType<GroupsAccepted>().SelectMany(a => a.Groups, (a, g) => (a.Step, Group: g)).ToArray();
        var planned = events.OfType<StepPlanned>().Where(p => p.Stage == "rlp").ToDictionary(p => p.Step, p => p.PolicyVersion);
        Assert.Equal(4 * steps, accepted.Length);
        foreach (var (step, journaled) in accepted)
        {
            var kept = Assert.Single(await ThoughtFile.ReadGroupsAsync(Kept().FileOf("rlp", step), new HashSet<int> { journaled.Group }, TestContext.Current.CancellationToken));
            Assert.Equal(journaled.ThoughtsSha256, kept.Sampled.ThoughtsSha256());
            Assert.Equal(journaled.PredictedEvidence, kept.Sampled.Thoughts.Select(t => t.PredictedEvidence));
            Assert.Equal(journaled.TeacherEvidence, kept.TeacherEvidence);
            Assert.Equal(planned[step], kept.Sampled.PolicyVersion);
            var gains = await ThoughtFile.ReadGainsAsync(Kept().FileOf("rlp", step), TestContext.Current.CancellationToken);
            Assert.Equal(journaled.Rewards, gains.Where(g => g.Group == journaled.Group).OrderBy(g => g.Member).Select(g => g.Gain));
        }
    }

    [Fact]
    public async Task A_run_that_is_stopped_and_goes_on_has_every_step_once()
    {
        var recipe = Recipes.Full();
        await using (var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, Stopping("rlp learn", 5, out var reached))))
        {
            var started = await node.Runs.StartAsync("r", recipe);
            await reached.Task;
            await node.Runs.StopAsync("r", "dinner");
        }
        Assert.NotEmpty(Kept().Steps("rlp")); // nothing of a stopped run waits in a process that is gone
        Assert.Equal(new Journals.RunJournal(TestNode.OptionsFor(folder.Path, new FakeEngines()).Journal).State("r").Stage!.Applied, Kept().Steps("rlp")[^1]);
        await using (var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines())))
            Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        Assert.Equal(Enumerable.Range(1, 9).Select(s => (long)s), Kept().Steps("rlp"));
        await AgreeWithJournalAsync(steps: 9);
    }

    [Fact]
    public async Task Steps_that_are_executed_again_after_a_crash_fill_the_gap()
    {
        var recipe = Recipes.Full(checkpointEvery: 4, evaluateEvery: 0);
        TestNode? node = null;
        var engines = new FakeEngines { OnCall = (what, step) => { if (what == "rlp learn" && step == 7) node!.AbortDuringCallOf("learner"); } };
        node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines) with { Settings = RoundTripMailbox.Hocon + TestNode.NoCoordinatedShutdown });
        var started = await node.Runs.StartAsync("r", recipe);
        await node.System.WhenTerminated.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await node.DisposeAsync();
        foreach (var step in (long[])[5, 6]) File.Delete(Kept().FileOf("rlp", step)); // as if the process had died before it wrote them
        await using (var next = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines())))
            Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await next.RunAsync("r", recipe))[^1]).Status);
        Assert.Equal(Enumerable.Range(1, 9).Select(s => (long)s), Kept().Steps("rlp"));
        await AgreeWithJournalAsync(steps: 9);
    }

    [Fact]
    public async Task A_disk_that_takes_none_costs_thoughts_and_never_the_run()
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, "r"));
        var place = Path.Combine(folder.Path, "r", "thoughts");
        File.WriteAllText(place, "in the way");
        var engines = new FakeEngines { OnCall = (what, step) => { if (what == "rlp learn" && step == 6) File.Delete(place); } };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines));
        var progress = await node.RunAsync("r", Recipes.Full());
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        var notice = Assert.Single(progress.OfType<RunNotice>()).Message;
        Assert.StartsWith($"the thoughts of step 1 cannot be kept in {Path.Combine(place, "rlp", "00000001.parquet")}: ", notice);
        Assert.Contains("The run goes on", notice);
        var plain = await TestNode.Uninterrupted(Path.Combine(folder.Path, "other"), Recipes.Full());
        Assert.Equal(plain, TestNode.Series(node.Journal, "r"));
        await TestNode.EventuallyAsync(() => Task.FromResult(Kept().Steps("rlp") is [.., 9]), "the disk takes the last step's thoughts again");
    }

    [Fact]
    public async Task No_thoughts_are_kept_where_none_are_to_be()
    {
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()) with { ThoughtBytes = null });
        await node.RunAsync("r", Recipes.Full());
        Assert.False(Directory.Exists(Path.Combine(folder.Path, "r", "thoughts")));
    }

    private static FakeEngines Stopping(string call, long at, out TaskCompletionSource reached)
    {
        var there = reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return new FakeEngines { OnCall = (what, step) => { if (what == call && step == at) there.TrySetResult(); } };
    }
}
