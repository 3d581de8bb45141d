namespace Rlp.Chaos.Tests;

/// <summary>A cluster whose journal is a PostgreSQL server: nodes die as they do on a file, and the server does too.</summary>
public sealed class DatabaseLossTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_database_that_crashes_in_mid_run_suspends_the_run_and_no_step_is_written_twice()
    {
        await using var cluster = new NodeCluster([("a", "coordinator"), ("b", "learner, ema, data"), ("c", "rollout, reward")], postgres: true);
        await cluster.InitializeAsync();
        var run = await cluster.SubmitAsync(cluster.Recipe(steps: 60));
        await cluster.SeeStepAsync(run, 10);

        await cluster.KillAsync(NodeCluster.Database);
        await cluster.SeeLoggedAsync("attempt 3)");
        cluster.Start(NodeCluster.Database);

        await SeriesIsThatOfOneProcessAsync(cluster, run, 60, "database");
        Assert.Equal(1, cluster.Logged("tried again in 0.5 s"));
        Assert.Equal(1, cluster.Logged("tried again in 1 s"));
        Assert.Equal(1, cluster.Logged("answers again after"));
    }

    [Fact]
    public async Task The_node_of_the_run_entity_is_killed_and_another_one_goes_on_from_the_database()
    {
        Suite.Further(true);
        await using var cluster = new NodeCluster(postgres: true);
        await cluster.InitializeAsync();
        var run = await cluster.SubmitAsync(cluster.Recipe());

        await cluster.KillAsync((await cluster.SeeStepAsync(run, 10)).Node);

        await SeriesIsThatOfOneProcessAsync(cluster, run, 40, "coordinator");
    }

    private async Task SeriesIsThatOfOneProcessAsync(NodeCluster cluster, string run, int steps, string what)
    {
        var ended = await cluster.SeeSeriesOfOneProcessAsync(run, cluster.Recipe(steps: steps));
        output.WriteLine($"{what}: {ended.Figures()}");
        var applied = await cluster.EventsAsync(run, "step-applied");
        Assert.Equal(
            [.. Enumerable.Range(1, 4).Select(step => ("pretrain", step)), .. Enumerable.Range(1, steps).Select(step => ("rlp", step))],
            applied.Select(e => (e.Stage, (int)e.Step)));
    }
}
