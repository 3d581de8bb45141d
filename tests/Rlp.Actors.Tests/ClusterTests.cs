using System.Collections.Concurrent;
using Rlp.Actors.Hosting;
using Rlp.Actors.Runs;
using Rlp.Protocol.Events;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Tests;

/// <summary>A run over several nodes: the series is that of one node, whatever node is lost, leaves or joins on the way.</summary>
public sealed class ClusterTests : IDisposable
{
    private static readonly Role[] Training = [Role.Learner, Role.Ema, Role.Data];
    private static readonly Role[] Sampling = [Role.Rollout, Role.Reward];

    private readonly TemporaryFolder folder = new();
    private readonly TemporaryFolder other = new();

    public void Dispose()
    {
        folder.Dispose();
        other.Dispose();
    }

    [Fact]
    public async Task A_run_over_nodes_of_one_role_each_has_the_series_of_one_node()
    {
        await using var cluster = new TestCluster(folder.Path, new FakeEngines());
        await cluster.AddAsync("boss", true);
        await AddOneOfEachRoleAsync(cluster);

        await CompletesAsync(cluster["Data"], Recipes.Full());
    }

    [Fact]
    public async Task Lanes_stand_on_all_rollout_nodes()
    {
        var gate = new CallGate("rlp learn", 2);
        await using var cluster = new TestCluster(folder.Path, new FakeEngines { OnCall = gate.Pass });
        await cluster.AddAsync("boss", true, Training);
        await cluster.AddAsync("a", false, Sampling);
        await cluster.AddAsync("b", false, Sampling);

        await cluster["a"].Runs.SubmitAsync("r", Recipes.Full(lanes: 4));
        await gate.Reached;
        var sampled = await Task.WhenAll(((string[])["a", "b"]).Select(async name => (await cluster[name].Runs.WorkerAsync(Role.Rollout)).Done));
        gate.Open();
        Assert.All(sampled, done => Assert.True(done >= 2, $"a and b answered {string.Join(" and ", sampled)} requests"));
        await SeriesIsThatOfOneNodeAsync(cluster["boss"], Recipes.Full(lanes: 4));
    }

    [Fact]
    public void A_run_s_lanes_are_in_shards_of_their_own()
    {
        var shards = new LaneShards(32);
        foreach (var run in Enumerable.Range(1, 20))
            Assert.Distinct(Enumerable.Range(0, 32).Select(lane => shards.ShardId($"run-{run}/{lane}")));
    }

    [Theory]
    [InlineData("rlp sample", 3, "a")] // while it samples
    [InlineData("rlp learn", 3, "a")] // between its steps
    [InlineData("rlp learn", 4, "trainer")] // the learner, in its step
    [InlineData("pretrain learn", 4, "trainer")]
    [InlineData("rlp write", 6, "trainer")] // in a checkpoint
    [InlineData("rlp sample", 5, "boss")] // the run entity and the registry
    [InlineData("rlp learn", 5, "boss")]
    public async Task A_node_that_dies_costs_the_run_nothing_but_time(string call, long step, string victim)
    {
        var gate = new CallGate(call, step);
        await using var cluster = new TestCluster(folder.Path, new FakeEngines { OnCall = gate.Pass });
        await cluster.AddAsync("second", true);
        await cluster.AddAsync("third", true);
        await cluster.AddAsync("trainer", false, Training);
        await cluster.AddAsync("spare", false, Training);
        await cluster.AddAsync("a", false, Sampling);
        await cluster.AddAsync("b", false, Sampling);
        var recipe = Recipes.Full();
        await cluster["a"].Runs.SubmitAsync("r", recipe);
        await gate.Reached;

        var report = await cluster["a"].Runs.ReportAsync("r");
        var killed = victim switch
        {
            "boss" => report.Node,
            "trainer" => report.Workers.Single(w => w.Role == "learner").Node,
            _ => victim,
        };
        cluster.Kill(killed);
        gate.Open();

        await SeriesIsThatOfOneNodeAsync(cluster["b"], recipe);
        var events = cluster["b"].Journal.Events("r");
        if (victim == "trainer")
            Assert.Contains("learner", Assert.Single(events.OfType<NodeLost>(), lost => lost.Node == killed).Roles);
        if (victim is "trainer" or "boss")
            Assert.Contains(events.OfType<RunRecovered>(), r => r.Cause.Contains(victim == "boss" ? "the run's entity" : $"node {killed} with learner"));
    }

    [Fact]
    public async Task After_the_coordinator_s_death_the_open_engines_go_on_and_no_step_is_done_again()
    {
        var gate = new CallGate("rlp sample", 6);
        await using var cluster = new TestCluster(folder.Path, new FakeEngines { OnCall = gate.Pass });
        await cluster.AddAsync("second", true);
        await cluster.AddAsync("third", true);
        await cluster.AddAsync("worker", false, Enum.GetValues<Role>());
        var recipe = Recipes.Full(checkpointEvery: 100);
        await cluster["worker"].Runs.SubmitAsync("r", recipe);
        await gate.Reached;
        cluster.Kill((await cluster["worker"].Runs.ReportAsync("r")).Node);
        gate.Open();

        await SeriesIsThatOfOneNodeAsync(cluster["worker"], recipe);
        Assert.Equal(recipe.Stages.Sum(s => s.Steps), cluster.Engines.Calls.Count(c => c.Contains(" learn ")));
    }

    [Fact]
    public async Task A_learner_s_node_that_leaves_commits_a_checkpoint_first_and_no_step_is_done_again()
    {
        var gate = new CallGate("rlp sample", 5);
        await using var cluster = new TestCluster(folder.Path, new FakeEngines { OnCall = gate.Pass });
        await cluster.AddAsync("boss", true, Sampling);
        await cluster.AddAsync("one", false, Training);
        await cluster.AddAsync("two", false, Training);
        var recipe = Recipes.Full(checkpointEvery: 100);
        await cluster["boss"].Runs.SubmitAsync("r", recipe);
        await gate.Reached;
        var learner = (await cluster["boss"].Runs.ReportAsync("r")).Workers.Single(w => w.Role == "learner").Node;

        var leaving = cluster[learner].Runs.Nodes.DrainAsync(learner, TimeSpan.FromSeconds(30));
        gate.Open();
        Assert.True(await leaving);
        await cluster[learner].DisposeAsync();

        await SeriesIsThatOfOneNodeAsync(cluster["boss"], recipe);
        Assert.Contains(cluster["boss"].Journal.Events("r"), e => e is CheckpointCommitted { Stage: "rlp", Step: 4 or 5 });
        Assert.Equal(recipe.Stages.Sum(s => s.Steps), cluster.Engines.Calls.Count(c => c.Contains(" learn ")));
    }

    [Fact]
    public async Task A_lane_whose_worker_is_stuck_goes_on_with_the_workers_of_another_node()
    {
        var (stuck, open) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new ManualResetEventSlim());
        var calls = 0;
        await using var cluster = new TestCluster(folder.Path, new FakeEngines
        {
            OnCall = (what, step) =>
            {
                if ((what, step) != ("rlp sample", 5) || Interlocked.Increment(ref calls) > 1)
                    return;
                stuck.SetResult();
                open.Wait(TimeSpan.FromSeconds(60));
            },
        });
        await cluster.AddAsync("boss", true, Training);
        await cluster.AddAsync("a", false, Sampling);
        await cluster.AddAsync("b", false, Sampling);
        var (boss, recipe) = (cluster["boss"], Recipes.Full(lanes: 1));
        await boss.Runs.SubmitAsync("r", recipe);
        await stuck.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await TestNode.EventuallyAsync(async () => await LaneNodeAsync() != "", "the lane is known to be at work");
        var from = await LaneNodeAsync();

        var nowhere = await Assert.ThrowsAsync<RunRefusedException>(() => boss.Runs.Nodes.ReassignLaneAsync("r", 0, from));
        Assert.Contains($"lane 0 of run 'r' is on node {from}; '{from}' is not another node", nowhere.Message);
        var moved = await boss.Runs.Nodes.ReassignLaneAsync("r", 0, null);
        Assert.Equal((from, from == "a" ? "b" : "a"), (moved.From, moved.To));
        await TestNode.EventuallyAsync(() => Task.FromResult(boss.Journal.Events("r").Any(e => e is StepApplied { Stage: "rlp", Step: 5 })), "step 5 is applied while a worker is stuck in it");
        open.Set();
        await SeriesIsThatOfOneNodeAsync(boss, recipe);

        async Task<string> LaneNodeAsync() => (await boss.Runs.ReportAsync("r")).Workers.FirstOrDefault(w => w.Role == "lane")?.Node ?? "";
    }

    [Fact]
    public async Task A_node_that_is_gone_is_reported_without_its_word()
    {
        await using var cluster = new TestCluster(folder.Path, new FakeEngines())
        {
            // It stays a member while it is asked, each time until the deadline.
            With = options => options with { Cluster = options.Cluster! with { StableAfter = TimeSpan.FromSeconds(30) } },
        };
        var a = await cluster.AddAsync("a", true);
        await cluster.AddAsync("b", false, Sampling);
        Assert.All(await a.Runs.Nodes.ReportsAsync(), report => Assert.NotNull(report.Status));
        var ended = cluster["b"].System.WhenTerminated;
        cluster.Kill("b");
        await ended; // until then it may answer
        var gone = (await a.Runs.Nodes.ReportsAsync()).Single(r => r.Node.Name == "b");
        Assert.Null(gone.Status);
        Assert.Empty(gone.Workers);
        Assert.Contains("does not answer within 2 s", (await Assert.ThrowsAsync<RunRefusedException>(() => a.Runs.Nodes.RestartWorkerAsync("b", Role.Rollout))).Message);
        Assert.Contains("node b has no learner worker", (await Assert.ThrowsAsync<RunRefusedException>(() => a.Runs.Nodes.RestartWorkerAsync("b", Role.Learner))).Message);
        Assert.Contains("there is no node 'c' in the cluster; there are a, b", Assert.Throws<RunRefusedException>(() => a.Runs.Nodes.Leave("c")).Message);
    }

    [Fact]
    public async Task A_step_whose_messages_fit_no_frame_has_the_series_of_one_node()
    {
        var parted = new ConcurrentDictionary<string, int>();
        await using var cluster = await OfSmallFramesAsync(part =>
        {
            if (part.Count > 4) // of which a frame has room for four
                parted[part.Manifest] = part.Count;
            return false;
        });
        await SeriesIsThatOfOneNodeAsync(cluster["boss"], Long, LongWinded());
        Assert.Equal(LongMessages, parted.Keys.Order());
    }

    [Fact]
    public async Task A_part_that_is_lost_on_the_way_costs_nothing_but_time()
    {
        var lost = new ConcurrentDictionary<string, int>();
        await using var cluster = await OfSmallFramesAsync(
            part => part.Index == 1 && lost.TryAdd(part.Manifest, 0),
            options => options with { EngineDeadline = TimeSpan.FromSeconds(2), Retries = 100 });
        await SeriesIsThatOfOneNodeAsync(cluster["boss"], Long, LongWinded());
        Assert.Equal(LongMessages, lost.Keys.Order());
    }

    /// <summary>All messages that hold the tokens of a step.</summary>
    private static readonly string[] LongMessages =
    [
        "apply-ntp-step/1", "apply-rlp-step/1", "data-loaded/1", "execute-lane/1", "lane-completed/1", "sample-thoughts/1", "score-positions/1", "thoughts-sampled/1",
    ];

    private static readonly Recipe Long = Recipes.Full(pretrain: 2, cpt: 1, rlp: 3, lanes: 1);

    private static FakeEngines LongWinded() => new() { PrefixTokens = 40_000, ThoughtTokens = 4_000 };

    /// <summary>Nodes of one role each whose frames are of Akka's own size, with a run at work; parts for which the function is true never come.</summary>
    private async Task<TestCluster> OfSmallFramesAsync(Func<MessagePart, bool> lost, Func<NodeOptions, NodeOptions>? with = null)
    {
        var cluster = new TestCluster(folder.Path, LongWinded())
        {
            With = options => (with ?? (o => o))(options with { Settings = options.Settings + "\nakka.remote.dot-netty.tcp.maximum-frame-size = 128000b" }),
        };
        TestNode[] nodes = [await cluster.AddAsync("boss", true), .. await AddOneOfEachRoleAsync(cluster)];
        foreach (var node in nodes)
            RoundTripMailbox.Lose(node.System, message => message is MessagePart part && lost(part));
        await cluster["boss"].Runs.SubmitAsync("r", Long);
        return cluster;
    }

    [Fact]
    public async Task A_run_waits_for_a_node_that_can_learn_and_begins_when_one_joins()
    {
        await using var cluster = new TestCluster(folder.Path, new FakeEngines());
        await cluster.AddAsync("boss", true, Sampling);
        await cluster["boss"].Runs.SubmitAsync("r", Recipes.Full());
        await Task.Delay(500);
        Assert.Equal(0, cluster.Engines.OpenEngines);

        await cluster.AddAsync("late", false, Training);
        await SeriesIsThatOfOneNodeAsync(cluster["boss"], Recipes.Full());
        var joined = Assert.Single(cluster["boss"].Journal.Events("r").OfType<NodeJoined>(), j => j.Node == "late");
        Assert.Equal(["data", "ema", "learner"], joined.Roles.Order());
    }

    private static async Task<List<TestNode>> AddOneOfEachRoleAsync(TestCluster cluster)
    {
        var nodes = new List<TestNode>();
        foreach (var role in Enum.GetValues<Role>())
            nodes.Add(await cluster.AddAsync(role.ToString(), false, role));
        return nodes;
    }

    private async Task CompletesAsync(TestNode from, Recipe recipe)
    {
        await from.Runs.SubmitAsync("r", recipe);
        await SeriesIsThatOfOneNodeAsync(from, recipe);
    }

    private async Task SeriesIsThatOfOneNodeAsync(TestNode witness, Recipe recipe, FakeEngines? engines = null)
    {
        for (var waited = 0; waited < 60_000; waited += 50)
        {
            var state = witness.Journal.State("r");
            Assert.True(state.Status != RunStatus.Failed, state.FailureMessage);
            if (state.Status == RunStatus.Completed)
                break;
            await Task.Delay(50);
        }
        Assert.Equal(await TestNode.Uninterrupted(other.Path, recipe, engines), TestNode.Series(witness.Journal, "r"));
        Assert.Equal(RunStatus.Completed, witness.Journal.State("r").Status);
    }
}
