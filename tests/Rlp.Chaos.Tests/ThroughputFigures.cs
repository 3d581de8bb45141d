namespace Rlp.Chaos.Tests;

/// <summary>
/// What more rollout nodes of one thread each bring to a recipe of long thoughts. The rollout phase of a step lasts from the journal's
/// entry of the step before it to that of its last groups: weights, sampling, scores and messages. Measured where RLP_CHAOS_THROUGHPUT is set.
/// </summary>
public sealed class ThroughputFigures(ITestOutputHelper output)
{
    private const int Lanes = 4;
    private const int Groups = 4;
    private const int Steps = 12;

    [Fact]
    public async Task Rollout_nodes_share_the_sampling_and_the_series_stays()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("RLP_CHAOS_THROUGHPUT") is null, "a measurement; RLP_CHAOS_THROUGHPUT=1 takes it");
        var (one, series) = (0.0, "");
        foreach (var nodes in (int[])[1, 2, 4])
        {
            var rollout = Enumerable.Range(1, nodes).Select(n => ($"rollout-{n}", "rollout"));
            await using var cluster = new NodeCluster([("main", "coordinator, learner, ema, data, reward"), .. rollout]);
            await cluster.InitializeAsync();
            var run = await cluster.SubmitAsync(SamplingRecipe(cluster));
            var lanes = (await cluster.SeeAsync(run, "sampling", s => s.Stage == "rlp" && s.Lanes.Count == Lanes)).Lanes;
            await cluster.SeeCompletedAsync(run);
            var digests = await cluster.DigestsAsync(run);
            if (nodes == 1) series = digests;
            Assert.Equal(series, digests);

            var applied = (await cluster.EventsAsync(run, "step-applied")).Where(e => e.Stage == "rlp").ToDictionary(e => e.Step, e => e.At);
            var accepted = (await cluster.EventsAsync(run, "groups-accepted")).GroupBy(e => e.Step).ToDictionary(g => g.Key, g => g.Max(e => e.At));
            var timed = Enumerable.Range(2, Steps - 1).Select(step => (long)step).ToArray(); // the first opens engines
            var phase = timed.Sum(step => (accepted[step] - applied[step - 1]).TotalSeconds);
            var whole = (applied[Steps] - applied[1]).TotalSeconds;
            var rate = timed.Length * Groups / phase;
            if (nodes == 1) one = rate;
            output.Record($"{nodes} rollout nodes (lanes {string.Join(" + ", lanes.CountBy(l => l).Select(n => n.Value).OrderDescending())}), "
                + $"{Environment.ProcessorCount} cores: {rate:F1} groups/s while sampling, {rate / one:F2} of one node's; "
                + $"{timed.Length / whole:F2} steps/s, of which sampling {phase / whole:P0}; series identical");
        }
    }

    private static string SamplingRecipe(NodeCluster cluster) => cluster.Recipe("sampling", $$"""
        stages = [rlp]
        tokenizer.kind = bytes # of so many tokens the end of a thought is seldom one
        model { hidden-size = 256, intermediate-size = 768, head-dim = 64, layers = 4, initializer-range = 0.02 }
        rlp {
          from = "", steps = {{Steps}}, batch-size = {{Groups}}, group-size = 2, lanes = {{Lanes}}
          max-thought-tokens = 128, context-length = 192, checkpoint-every = {{Steps}}, evaluate-every = 0
        }
        """);
}
