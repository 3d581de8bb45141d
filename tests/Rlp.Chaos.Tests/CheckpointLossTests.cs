namespace Rlp.Chaos.Tests;

/// <summary>A disk refuses a run's checkpoints, or has damaged one: the run says so and ends with the series of one process that nothing disturbed.</summary>
[Collection(nameof(OneCluster))]
public sealed class CheckpointLossTests(NodeCluster cluster, ITestOutputHelper output)
{
    [Fact]
    public async Task A_full_disk_costs_the_run_a_pause_and_it_goes_on_by_itself_once_there_is_room()
    {
        await cluster.RestartDeadAsync();
        var (run, recipe) = (cluster.NewRun(), cluster.Recipe());
        var (mounted, problem) = FullDisk.Mount(cluster.CheckpointsOf(run));
        Assert.SkipWhen(mounted is null, problem);
        using var disk = mounted!;
        await cluster.SubmitAsync(recipe, run);
        await cluster.SeeStepAsync(run, 8);

        disk.Fill();

        await cluster.SeeLogAsync(run, "No space left on device", "attempt 4)");
        var committed = await cluster.EventsAsync(run, "checkpoint-committed");
        Assert.All(cluster.CheckpointFoldersOf(run), folder => Assert.Contains(committed, e => folder.EndsWith(e.Path, StringComparison.Ordinal)));
        var waiting = await cluster.SeeAsync(run, "waiting", s => s.Status == "running");
        Assert.Equal(0, waiting.Step % 7);

        disk.Enlarge();

        var ended = await cluster.SeeSeriesOfOneProcessAsync(run, recipe);
        output.WriteLine($"full at step {waiting.Step}: {ended.Figures()}");
        Assert.Equal(0, ended.Recovery["redone_steps"]);
        await cluster.SeeLogAsync(run, "is written after");
    }

    [Fact]
    public async Task Where_the_newest_checkpoint_is_damaged_a_lost_learner_begins_at_the_one_before()
    {
        await cluster.RestartDeadAsync();
        var recipe = cluster.Recipe();
        var run = await cluster.SubmitAsync(recipe);
        var learner = (await cluster.SeeStepAsync(run, 15)).Seats["learner"];

        await cluster.KillAsync(learner);
        // All but the oldest: the newest folder may be one that the journal does not know of.
        foreach (var folder in cluster.CheckpointFoldersOf(run).Skip(1)) Damage(Path.Combine(folder, "policy.safetensors"));

        var ended = await cluster.SeeSeriesOfOneProcessAsync(run, recipe);
        output.WriteLine($"damaged: {ended.Figures()}");
        Assert.InRange(ended.Recovery["redone_steps"], 7, 21);
        await cluster.SeeLogAsync(run, "policy.safetensors", "falls back to the one before it");
    }

    private static void Damage(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = stream.Length / 2;
        var bytes = new byte[16];
        stream.ReadExactly(bytes);
        stream.Position = stream.Length / 2;
        stream.Write([.. bytes.Select(b => (byte)~b)]);
    }
}
