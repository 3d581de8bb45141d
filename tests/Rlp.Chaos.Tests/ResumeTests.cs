namespace Rlp.Chaos.Tests;

/// <summary>Real processes, real signals: a run that was interrupted equals one that was not, bit for bit.</summary>
public sealed class ResumeTests(UninterruptedRuns whole) : IClassFixture<UninterruptedRuns>, IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-chaos-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("pretrain 5/12", 0)]
    [InlineData("rlp 8/16", 0)] // three steps after a checkpoint: they are executed again and compared with the journal
    [InlineData("rlp 8/16", 1)] // while later steps are sampled
    [InlineData("rlp 11/16", 2)]
    public async Task A_run_killed_at_any_step_ends_with_the_same_losses_rewards_and_parameters(string killedAt, int staleness)
    {
        var (id, stale) = ($"whole-{staleness}", $"rlp.staleness={staleness}");
        var expected = await whole.DigestsAsync(id, SmallRun.Steps(), stale);
        using (var killed = RlpProcess.Start(SmallRun.Train(folder, "killed", stale)))
        {
            await killed.SeeAsync(killedAt);
            killed.Signal(RlpProcess.SigKill);
            await killed.EndAsync();
        }

        var (code, output) = await RlpProcess.RunAsync(SmallRun.Train(folder, "killed", stale));

        Assert.True(code == 0, output);
        Assert.Contains("resuming run 'killed'", output);
        Assert.Equal(expected, await SmallRun.DigestsAsync(folder, "killed", SmallRun.Steps()));
        Assert.Equal(Sections(Path.Combine(whole.Folder, id)), Sections(Path.Combine(folder, "killed")));
        Assert.Equal(SmallRun.Steps(), File.ReadAllLines(Path.Combine(folder, "killed", "metrics.jsonl")).Length);
    }

    [Theory]
    [InlineData(RlpProcess.SigInt)]
    [InlineData(RlpProcess.SigTerm)]
    public async Task A_run_that_is_asked_to_stop_commits_a_checkpoint_exits_with_130_and_resumes(int signal)
    {
        const int Steps = 80; // most of the run is left when the signal is sent: on a busy machine that takes seconds
        var longer = $"pretrain.steps={Steps}";
        var expected = await whole.DigestsAsync("longer", SmallRun.Steps(Steps), longer);
        using (var stopped = RlpProcess.Start(SmallRun.Train(folder, "stopped", longer)))
        {
            await stopped.SeeAsync($"pretrain 2/{Steps}");
            stopped.Signal(signal);
            Assert.Equal(130, await stopped.EndAsync());
            Assert.Contains("stopped after a checkpoint", stopped.Output);
        }

        var (code, output) = await RlpProcess.RunAsync(SmallRun.Train(folder, "stopped", longer));

        Assert.True(code == 0, output);
        Assert.DoesNotContain("replay", output); // the checkpoint is of the last applied step: nothing is done twice
        Assert.Equal(expected, await SmallRun.DigestsAsync(folder, "stopped", SmallRun.Steps(Steps)));
    }

    [Fact]
    public async Task A_complete_run_says_so_and_does_nothing_again()
    {
        var expected = await whole.DigestsAsync("whole-0", SmallRun.Steps(), "rlp.staleness=0");

        var (code, output) = await RlpProcess.RunAsync(SmallRun.Train(whole.Folder, "whole-0", "rlp.staleness=0"));

        Assert.Equal(0, code);
        Assert.Contains("run 'whole-0' is complete", output);
        Assert.DoesNotContain("pretrain 1/", output);
        Assert.Contains("CPT + thoughts", output); // the table once more
        Assert.Equal(expected, await SmallRun.DigestsAsync(whole.Folder, "whole-0", SmallRun.Steps()));
    }

    [Fact]
    public async Task Another_recipe_under_the_id_of_an_existing_run_is_refused()
    {
        await whole.DigestsAsync("whole-0", SmallRun.Steps(), "rlp.staleness=0");
        var (code, output) = await RlpProcess.RunAsync(SmallRun.Train(whole.Folder, "whole-0", "rlp.temperature=0.5"));

        Assert.Equal(2, code);
        Assert.Contains("--run-id", output);
    }

    private static int Sections(string run) => File.ReadAllText(Path.Combine(run, "report.json")).Split("\"seconds\"").Length;
}
