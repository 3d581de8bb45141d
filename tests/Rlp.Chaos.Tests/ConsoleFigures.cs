using System.Diagnostics;

namespace Rlp.Chaos.Tests;

/// <summary>
/// How long `run show` takes over HTTP, as a script asks it, at each node of a cluster of three: while nothing works, and while a run computes
/// on all of them. Measured where RLP_CHAOS_CONSOLE says how often each node is asked.
/// </summary>
public sealed class ConsoleFigures(ITestOutputHelper output)
{
    private static readonly (string Name, string Roles)[] Nodes =
        [("a", "coordinator, learner, ema, data"), ("b", "coordinator, rollout"), ("c", "coordinator, reward")];

    [Fact]
    public async Task A_run_is_shown_at_once_by_every_node()
    {
        Assert.SkipUnless(
            int.TryParse(Environment.GetEnvironmentVariable("RLP_CHAOS_CONSOLE"), out var times),
            "a measurement; RLP_CHAOS_CONSOLE=100 asks each node a hundred times");
        await using var cluster = new NodeCluster(Nodes);
        await cluster.InitializeAsync();
        var done = await cluster.SubmitAsync(cluster.Recipe());
        await cluster.SeeCompletedAsync(done);
        await MeasureAsync(cluster, done, times, "idle, a run that is complete", aim: 50);

        var busy = await cluster.SubmitAsync(cluster.Recipe(steps: 100_000));
        var before = (await cluster.SeeStepAsync(busy, 5)).Step;
        Assert.DoesNotContain("\"0 of 1\"", await cluster.PostConsoleAsync("a", "device list")); // the run has every node's core
        await MeasureAsync(cluster, busy, times, $"busy, a run at work on {Environment.ProcessorCount} cores", aim: 250);
        Assert.True((await cluster.SeeAsync(busy))!.Step > before, "the run stood still while it was measured");
    }

    private async Task MeasureAsync(NodeCluster cluster, string run, int times, string what, double aim)
    {
        foreach (var (node, _) in Nodes)
        {
            var taken = new double[times];
            for (var i = -1; i < times; i++) // the first is not counted
            {
                var started = Stopwatch.GetTimestamp();
                Assert.Contains($"[\"run\",\"{run}\"]", await cluster.PostConsoleAsync(node, $"run show -r {run}"));
                if (i >= 0) taken[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            }
            Array.Sort(taken);
            output.Record($"node {node}, {what}: median {taken[times / 2]:F1} ms, worst {taken[^1]:F1} ms of {times}; "
                + $"aim {aim} ms, {(taken[^1] < aim ? "kept" : $"missed by {taken.Count(t => t >= aim)}")}");
        }
    }
}
