namespace Rlp.Chaos.Tests;

/// <summary>`rlp console` at a cluster of real processes with TLS and a token, while a run works: its series stays that of one process.</summary>
[Collection(nameof(OneNetwork))]
public sealed class ConsoleTests(OneNetwork place, ITestOutputHelper output)
{
    private const int Steps = 120;

    [Fact]
    public async Task Nodes_at_work_leave_and_are_downed_by_command_and_the_run_goes_on_and_is_forked()
    {
        var cluster = await place.ClusterAsync();
        var recipe = cluster.Recipe(steps: Steps);
        var run = await cluster.SubmitAsync(recipe);
        var sight = await cluster.SeeStepAsync(run, 5);
        var (asked, leaving) = (OneNetwork.Nodes.Except([sight.Node, sight.Seats["learner"]]).First(), sight.Seats["learner"]);

        Assert.Contains($"node {leaving} leaves", await cluster.AskAsync(asked, $"cluster leave -n {leaving}"));
        Assert.Equal(0, await cluster.EndAsync(leaving));
        Assert.Contains("left: it was told to by 'cluster leave'", cluster.OutputOf(leaving));
        var left = await cluster.SeeAsync(
            run, "going on without it",
            s => s.Status == "completed" || (s.Node != leaving && s.Seats.GetValueOrDefault("learner") is { } node && node != leaving));
        Assert.Equal("running", left.Status); // it did not just end before
        Assert.Equal(0, left.Recovery["redone_steps"]);

        var downed = left.Node != asked ? left.Node : left.Seats["learner"] != asked ? left.Seats["learner"] : left.Lanes.First(node => node != asked);
        Assert.Contains($"the cluster goes on without node {downed}", await cluster.AskAsync(asked, $"cluster down -n {downed} -f yes"));
        Assert.NotEqual(0, await cluster.EndAsync(downed));
        Assert.NotEqual("completed", (await cluster.SeeAsync(run))?.Status);
        var ended = await cluster.SeeSeriesOfOneProcessAsync(run, recipe);
        output.WriteLine($"{leaving} left, {downed} was downed at step {left.Step}: {ended.Figures()}");

        Assert.Contains(
            "in this cluster: run resume -r fork", await cluster.AskAsync(asked, $"run fork -r {run} -s rlp -a {Steps} -i fork -o rlp.steps={Steps + 2}"));
        Assert.Contains("run 'fork' goes on", await cluster.AskAsync(asked, "run resume -r fork"));
        await cluster.SeeCompletedAsync("fork");
        var (before, after) = (await cluster.DigestsAsync(run), await cluster.DigestsAsync("fork"));
        Assert.StartsWith(before, after);
        Assert.Equal(2, after[before.Length..].Count(c => c == '\n'));
    }

    [Fact]
    public async Task Who_does_not_trust_the_authority_or_has_no_token_is_told_so()
    {
        var cluster = await place.ClusterAsync();
        var (code, output) = await cluster.ConsoleAsync("a", "cluster show", token: false);
        Assert.Equal(2, code);
        Assert.Matches("refuses: the token is missing or wrong .*--token-file names it", output);
        (code, output) = await cluster.ConsoleAsync("a", "cluster show", authority: false);
        Assert.Equal(2, code);
        Assert.Matches("offers no TLS that is trusted here: .*SSL_CERT_FILE names a file with the authorities", output);
        Assert.Contains("a (asked)", await cluster.AskAsync("a", "cluster show"));
    }
}
