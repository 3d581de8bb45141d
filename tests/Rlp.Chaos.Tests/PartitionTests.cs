using System.Diagnostics;

namespace Rlp.Chaos.Tests;

/// <summary>The network between the nodes parts, three on one side and two on the other; run folder and journal stay within reach of both.</summary>
[Collection(nameof(OneNetwork))]
public sealed class PartitionTests(OneNetwork place, ITestOutputHelper output)
{
    private const int Steps = 60;

    [Theory]
    [InlineData(true)]
    [InlineData(false, true)]
    public async Task When_the_network_parts_the_larger_side_goes_on_with_the_run_and_the_smaller_one_ends(bool runOnSmallerSide, bool further = false)
    {
        Suite.Further(further);
        var (network, cluster) = (place.Network, await place.ClusterAsync());
        var recipe = cluster.Recipe(steps: Steps);
        var run = await cluster.SubmitAsync(recipe);
        var sight = await cluster.SeeStepAsync(run, 10);
        string[] atWork = [.. new[] { sight.Node, sight.Seats["learner"] }.Distinct()];
        var others = OneNetwork.Nodes.Except(atWork);
        string[] smaller = [.. (runOnSmallerSide ? atWork.Concat(others) : others).Take(2)];

        network.Cut(smaller);
        var cut = Stopwatch.GetTimestamp();
        int[] codes = [await cluster.EndAsync(smaller[0]), await cluster.EndAsync(smaller[1])];
        var smallerEnded = Stopwatch.GetElapsedTime(cut);
        var then = (await cluster.EventsAsync(run, "step-applied")).Count;
        var onward = await cluster.SeeAsync(run, "going on", s => s.Step > then || s.Status == "completed");
        var before = cluster.WritersOf(run);

        Assert.DoesNotContain(onward.Node, smaller);
        Assert.Equal(runOnSmallerSide, before.Count > 1);
        network.Heal();
        await cluster.RestartDeadAsync();
        var ended = await cluster.SeeSeriesOfOneProcessAsync(run, recipe);
        var applied = (await cluster.EventsAsync(run, "step-applied")).Select(e => (e.Stage, e.Step));
        (string, long)[] once = [.. Enumerable.Range(1, 4).Select(step => ("pretrain", (long)step)), .. Enumerable.Range(1, Steps).Select(step => ("rlp", (long)step))];
        Assert.Equal(once, applied);
        // Whoever wrote after another never wrote again: no two entities took turns.
        var writers = cluster.WritersOf(run);
        Assert.Equal(writers.Distinct(), writers);
        output.WriteLine($"{string.Join("", smaller)} cut off with {(runOnSmallerSide ? "the run" : "nothing of the run")} at step {sight.Step}: ended after {smallerEnded.TotalSeconds:F1} s, "
            + $"exit codes {string.Join(" ", codes)}; {writers.Count} writers; {ended.Figures()}");
    }
}
