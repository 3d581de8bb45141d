namespace Rlp.Chaos.Tests;

/// <summary>Real processes, real signals: a run that was interrupted equals one that was not, bit for bit.</summary>
public sealed class ResumeTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-chaos-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string[] Train(string run, params string[] more) =>
    [
        "train", "hocon/recipes/arithmetic.hocon", "--runs", folder, "--run-id", run, "--log-interval", "0",
        .. "pretrain.steps=12 pretrain.batch-size=16 cpt.steps=4 cpt.batch-size=16 rlp.steps=16 rlp.batch-size=4 rlp.group-size=4 rlp.checkpoint-every=5 rlp.evaluate-every=8 compare.problems=8 compare.problems-while-training=4"
            .Split(' ').SelectMany(set => new[] { "--set", set }), .. more,
    ];

    private async Task<string> Digests(string run, int pretrain = 12)
    {
        var (code, output) = await RlpProcess.RunAsync("runs", "digests", run, "--json", "--runs", folder);
        Assert.Equal(0, code);
        Assert.Equal(pretrain + 4 + 4 + 16, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        return output;
    }

    private async Task<string> Uninterrupted(params string[] more)
    {
        var (code, output) = await RlpProcess.RunAsync(Train("whole", more));
        Assert.True(code == 0, output);
        return await Digests("whole");
    }

    [Theory]
    [InlineData("pretrain 5/12", 0)]
    [InlineData("rlp 8/16", 0)] // three steps after a checkpoint: they are executed again and compared with the journal
    [InlineData("rlp 15/16", 0)]
    [InlineData("rlp 8/16", 1)] // while later steps are sampled
    [InlineData("rlp 11/16", 2)]
    public async Task A_run_killed_at_any_step_ends_with_the_same_losses_rewards_and_parameters(string killedAt, int staleness)
    {
        string[] stale = ["--set", $"rlp.staleness={staleness}"];
        var expected = await Uninterrupted(stale);
        using (var killed = RlpProcess.Start(Train("killed", stale)))
        {
            await killed.SeeAsync(killedAt);
            killed.Signal(RlpProcess.SigKill);
            await killed.EndAsync();
        }

        var (code, output) = await RlpProcess.RunAsync(Train("killed", stale));

        Assert.True(code == 0, output);
        Assert.Contains("resuming run 'killed'", output);
        Assert.Equal(expected, await Digests("killed"));
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "whole", "report.json")).Split("\"seconds\"").Length, File.ReadAllText(Path.Combine(folder, "killed", "report.json")).Split("\"seconds\"").Length);
        Assert.Equal(12 + 4 + 4 + 16, File.ReadAllLines(Path.Combine(folder, "killed", "metrics.jsonl")).Length);
    }

    [Theory]
    [InlineData(RlpProcess.SigInt)]
    [InlineData(RlpProcess.SigTerm)]
    public async Task A_run_that_is_asked_to_stop_commits_a_checkpoint_exits_with_130_and_resumes(int signal)
    {
        const int Steps = 80; // most of the run is left when the signal is sent: on a busy machine that takes seconds
        string[] longer = ["--set", $"pretrain.steps={Steps}"];
        var (code, output) = await RlpProcess.RunAsync(Train("whole", longer));
        Assert.True(code == 0, output);
        using (var stopped = RlpProcess.Start(Train("stopped", longer)))
        {
            await stopped.SeeAsync($"pretrain 2/{Steps}");
            stopped.Signal(signal);
            Assert.Equal(130, await stopped.EndAsync());
            Assert.Contains("stopped after a checkpoint", stopped.Output);
        }

        (code, output) = await RlpProcess.RunAsync(Train("stopped", longer));

        Assert.True(code == 0, output);
        Assert.DoesNotContain("replay", output); // the checkpoint is of the last applied step: nothing is done twice
        Assert.Equal(await Digests("whole", Steps), await Digests("stopped", Steps));
    }

    [Fact]
    public async Task A_complete_run_says_so_and_does_nothing_again()
    {
        var expected = await Uninterrupted();
        var (code, output) = await RlpProcess.RunAsync(Train("whole"));

        Assert.Equal(0, code);
        Assert.Contains("run 'whole' is complete", output);
        Assert.DoesNotContain("pretrain 1/", output);
        Assert.Contains("CPT + thoughts", output); // the table once more
        Assert.Equal(expected, await Digests("whole"));
    }

    [Fact]
    public async Task Another_recipe_under_the_id_of_an_existing_run_is_refused()
    {
        await Uninterrupted();
        var (code, output) = await RlpProcess.RunAsync(Train("whole", "--set", "rlp.temperature=0.5"));

        Assert.Equal(2, code);
        Assert.Contains("--run-id", output);
    }
}
