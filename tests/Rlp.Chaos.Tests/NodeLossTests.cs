namespace Rlp.Chaos.Tests;

/// <summary>Nodes of a cluster die, hang, leave and come back in the middle of a run: its series is that of one process that nothing disturbed.</summary>
[Collection(nameof(OneCluster))]
public sealed class NodeLossTests(NodeCluster cluster, ITestOutputHelper output)
{
    [Theory]
    [InlineData("lane-half-done@rlp:9")]
    [InlineData("learner-applied@rlp:12")]
    [InlineData("checkpoint-written@rlp:14")]
    [InlineData("step-planned@rlp:10", true)]
    [InlineData("groups-accepted@rlp:11", true)]
    [InlineData("teacher-updated@rlp:13", true)]
    [InlineData("step-applied@rlp:14", true)]
    [InlineData("checkpoint-sealed@rlp:14", true)]
    public async Task A_process_that_dies_in_any_state_of_a_step_costs_the_run_nothing_but_time(string state, bool further = false)
    {
        Suite.Further(further);
        await cluster.RestartDeadAsync();
        cluster.Arm(state);

        var run = await cluster.SubmitAsync(cluster.Recipe());
        await SeriesIsThatOfOneProcessAsync(run, state);

        Assert.True(cluster.Reached(state), $"{state} was never reached");
        Assert.Single(cluster.Names.Except(cluster.Living));
    }

    [Theory]
    [InlineData("coordinator")]
    [InlineData("rollout", true)]
    [InlineData("learner", true)]
    public async Task A_node_that_is_killed_costs_the_run_nothing_but_time(string role, bool further = false)
    {
        Suite.Further(further);
        await cluster.RestartDeadAsync();
        var run = await cluster.SubmitAsync(cluster.Recipe());
        var sight = await cluster.SeeStepAsync(run, 10);

        cluster.Signal(NodeOf(role, sight), RlpProcess.SigKill);

        await SeriesIsThatOfOneProcessAsync(run, role);
    }

    [Fact]
    public async Task A_node_that_is_killed_and_started_again_at_once_joins_again_and_the_run_goes_on()
    {
        Suite.Further(true);
        await cluster.RestartDeadAsync();
        var run = await cluster.SubmitAsync(cluster.Recipe());
        var victim = NodeOf("learner", await cluster.SeeStepAsync(run, 10));

        cluster.Signal(victim, RlpProcess.SigKill);
        await cluster.EndAsync(victim);
        cluster.Start(victim);

        await SeriesIsThatOfOneProcessAsync(run, "learner, started again");
        await cluster.AllUpAsync();
    }

    [Fact]
    public async Task A_coordinator_that_hangs_for_20_seconds_is_replaced_and_there_is_one_run_when_it_wakes()
    {
        await cluster.RestartDeadAsync();
        var run = await cluster.SubmitAsync(cluster.Recipe(steps: 400));
        var victim = (await cluster.SeeStepAsync(run, 10)).Node;

        cluster.Signal(victim, RlpProcess.SigStop);
        var hung = Task.Delay(TimeSpan.FromSeconds(20));
        var elsewhere = await cluster.SeeAsync(run, "run by another node", s => s.Node != victim && s.Step >= 20);
        Assert.NotEqual(victim, elsewhere.Node);
        await hung;
        cluster.Signal(victim, RlpProcess.SigCont);

        await SeriesIsThatOfOneProcessAsync(run, "coordinator, stopped for 20 s", steps: 400);
        await cluster.RestartDeadAsync(); // the node has ended itself, or it is a member again
    }

    [Fact]
    public async Task A_learner_s_node_that_is_asked_to_stop_hands_over_and_no_step_is_done_again()
    {
        await cluster.RestartDeadAsync();
        var run = await cluster.SubmitAsync(cluster.Recipe(steps: 120));
        var victim = NodeOf("learner", await cluster.SeeStepAsync(run, 10));

        cluster.Signal(victim, RlpProcess.SigTerm);

        Assert.Equal(0, await cluster.EndAsync(victim));
        Assert.NotEqual("completed", (await cluster.SeeAsync(run))?.Status); // it did not just wait for the run's end
        var ended = await SeriesIsThatOfOneProcessAsync(run, "learner, asked to stop", steps: 120);
        Assert.Equal(0, ended.Recovery["redone_steps"]);
    }

    private async Task<RunSight> SeriesIsThatOfOneProcessAsync(string run, string what, int steps = 40)
    {
        var ended = await cluster.SeeSeriesOfOneProcessAsync(run, cluster.Recipe(steps: steps));
        output.WriteLine($"{what}: {ended.Figures()}");
        return ended;
    }

    private static string NodeOf(string role, RunSight sight) => role switch
    {
        "coordinator" => sight.Node,
        "rollout" => "e",
        _ => sight.Seats[role],
    };
}
