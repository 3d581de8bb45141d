using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

/// <summary>Where the recipe allows a staleness, later steps are sampled while one is learned, exactly as far ahead as it allows.</summary>
public sealed class SamplingAheadTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static bool Sampled(TestNode node, long step, int lanes = 2) =>
        node.Journal.Events("r").OfType<GroupsAccepted>().Count(a => a.Step == step) == lanes;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task While_a_step_is_learned_the_next_ones_are_sampled_scored_and_journaled_and_none_beyond(int staleness)
    {
        var recipe = Recipes.Full(checkpointEvery: 100, evaluateEvery: 0, staleness: staleness);
        var gate = new CallGate("rlp learn", 3);
        var engines = new FakeEngines { OnCall = gate.Pass };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("held"), engines));
        var started = await node.Runs.StartAsync("r", recipe);
        await gate.Reached;
        var last = 3 + staleness;
        // The data of the step after them are the last thing that can be done meanwhile.
        await TestNode.EventuallyAsync(
            () => Task.FromResult(Sampled(node, last) && engines.Calls.Contains($"rlp data {4 * last}")), $"step {last} is sampled");

        var events = node.Journal.Events("r");
        Assert.Equal(2, events.OfType<StepApplied>().Last().Step);
        Assert.Equal(last, events.OfType<StepPlanned>().Last().Step);
        Assert.DoesNotContain($"rlp sample {last + 1}", engines.Calls);
        gate.Open();
        var progress = await node.EndAsync("r", started);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
        var once = Enumerable.Range(1, 9).SelectMany(step => new[] { $"rlp sample {step}", $"rlp sample {step}" }); // by each lane
        Assert.Equal(once, engines.Calls.Where(c => c.StartsWith("rlp sample")).Order());
    }

    [Fact]
    public async Task Each_staleness_gives_a_series_of_its_own()
    {
        var series = new List<string>();
        foreach (var staleness in (int[])[0, 1, 2])
            series.Add(string.Join("\n", await TestNode.Uninterrupted(folder.Sub($"{staleness}"), Recipes.Full(staleness: staleness))));
        Assert.Equal(3, series.Distinct().Count());
    }

    [Fact]
    public async Task A_stop_while_later_steps_are_sampled_keeps_what_is_journaled_and_continues_to_the_same_series()
    {
        var recipe = Recipes.Full(staleness: 1);
        var gate = new CallGate("rlp learn", 4);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("stopped"), new FakeEngines { OnCall = gate.Pass }));
        var started = await node.Runs.StartAsync("r", recipe);
        await gate.Reached;
        await TestNode.EventuallyAsync(() => Task.FromResult(Sampled(node, 5)), "step 5 is sampled");
        var stop = node.Runs.StopAsync("r", "enough");
        await node.Runs.ReportAsync("r"); // answered behind the stop; heard of after step 4, it would mean step 5
        gate.Open();
        Assert.Equal((RunStatus.Paused, 4L), ((await stop).Status, (await stop).Checkpoint!.Step));
        await node.EndAsync("r", started);
        var progress = await node.RunAsync("r", recipe);

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
        Assert.Equal(2, node.Journal.Events("r").OfType<GroupsAccepted>().Count(a => a.Step == 5)); // sampled twice, journaled once
    }

    [Fact]
    public async Task A_sampler_that_fails_while_it_works_ahead_is_opened_again_and_the_learner_is_not_disturbed()
    {
        var recipe = Recipes.Full(staleness: 1);
        using var learning = new ManualResetEventSlim();
        using var failing = new ManualResetEventSlim();
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if ((what, at) == ("rlp sample", 4) && !failing.IsSet)
                {
                    learning.Wait(TimeSpan.FromSeconds(60));
                    failing.Set();
                    throw new IOException("broken");
                }
                if ((what, at) == ("rlp learn", 3))
                {
                    learning.Set();
                    failing.Wait(TimeSpan.FromSeconds(60));
                }
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("failing"), engines));
        var progress = await node.RunAsync("r", recipe);

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        Assert.Contains(progress.OfType<RunNotice>(), n => n.Message.Contains("of step 4 of stage 'rlp' failed") && n.Message.Contains("broken"));
        Assert.Equal(await TestNode.Uninterrupted(folder.Sub("whole"), recipe), TestNode.Series(node.Journal, "r"));
        Assert.Single(engines.Calls, c => c == "rlp learn 3");
    }

    [Fact]
    public async Task When_a_run_ends_while_steps_are_sampled_ahead_the_samplers_end_before_what_they_read_is_disposed()
    {
        var recipe = Recipes.Full(checkpointEvery: 100, evaluateEvery: 0, staleness: 1);
        var (learning, sampling) = (new CallGate("rlp learn", 4), new CallGate("rlp sample", 5));
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                learning.Pass(what, at);
                sampling.Pass(what, at);
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines));
        var started = await node.Runs.StartAsync("r", recipe);
        await learning.Reached;
        await sampling.Reached;
        var stop = node.Runs.StopAsync("r", "enough");
        await node.Runs.ReportAsync("r"); // answered behind the stop: a run that hears of it after step 4 would wait for step 5's lanes first
        learning.Open();
        await TestNode.EventuallyAsync(() => Task.FromResult(node.Journal.Events("r")[^1] is RunPaused), "the run is paused while step 5 is sampled");
        await Task.Delay(100); // in which nothing that the sampler reads is closed
        sampling.Open();
        await stop;
        await node.EndAsync("r", started);

        Assert.DoesNotContain(engines.Calls, c => c.EndsWith("under a reader"));
        Assert.Equal(["teacher disposed", "learner disposed"], engines.Calls.Where(c => c.EndsWith("disposed")).TakeLast(2));
    }
}
