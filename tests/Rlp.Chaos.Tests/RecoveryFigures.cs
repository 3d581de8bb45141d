using System.Diagnostics;

namespace Rlp.Chaos.Tests;

/// <summary>
/// What the loss of a node of each role costs, with one role to a node and a spare one for the victim, and an outage of the database. Measured
/// where RLP_CHAOS_FIGURES says how often.
/// </summary>
public sealed class RecoveryFigures(ITestOutputHelper output)
{
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(5);
    private static readonly string[] Roles = ["coordinator", "learner", "ema", "data", "rollout", "reward"];

    [Theory]
    [InlineData("rollout")]
    [InlineData("reward")]
    [InlineData("learner")]
    [InlineData("ema")]
    [InlineData("coordinator")]
    public async Task A_loss_is_known_and_made_good(string role)
    {
        var times = Times();
        await using var cluster = new NodeCluster([.. Roles.Select(r => (r, r)), ("spare", role)]);
        await cluster.InitializeAsync();
        var recipe = cluster.Recipe(steps: 100);
        for (var i = 0; i < times; i++)
        {
            await cluster.RestartDeadAsync();
            var run = await cluster.SubmitAsync(recipe);
            var sight = await cluster.SeeStepAsync(run, 20);
            var victim = role switch { "coordinator" => sight.Node, "rollout" or "reward" => role, _ => sight.Seats[role] };
            cluster.Signal(victim, RlpProcess.SigKill);
            var killed = Stopwatch.GetTimestamp();
            var at = (await cluster.SeeAsync(run, "seen", _ => true)).Step;
            await cluster.SeeAsync(run, "going on", s => s.Recovery["count"] > 0 || s.Status == "completed");
            var took = Stopwatch.GetElapsedTime(killed).TotalSeconds;
            await EndAsync(cluster, run, recipe, $"{role} killed at step {at}: {took:F1} s from the kill to the recovery's first new step");
        }
    }

    [Fact]
    public async Task An_outage_of_the_database_is_known_and_made_good()
    {
        const string suspended = "is tried again in";
        var times = Times();
        await using var cluster = new NodeCluster([.. Roles.Select(r => (r, r))], postgres: true);
        await cluster.InitializeAsync();
        var recipe = cluster.Recipe(steps: 100);
        for (var i = 0; i < times; i++)
        {
            var run = await cluster.SubmitAsync(recipe);
            await cluster.SeeStepAsync(run, 20);
            var logged = cluster.Logged(suspended);
            var killed = Stopwatch.GetTimestamp();
            await cluster.KillAsync(NodeCluster.Database);
            await cluster.SeeLoggedAsync(suspended, logged);
            var known = Stopwatch.GetElapsedTime(killed);
            await Task.Delay(Outage > known ? Outage - known : TimeSpan.Zero);
            cluster.Start(NodeCluster.Database);
            var back = DateTimeOffset.UtcNow;
            await cluster.SeeCompletedAsync(run);
            var applied = await cluster.EventsAsync(run, "step-applied");
            var (before, after) = (applied.Last(e => e.At < back), applied.First(e => e.At >= back));
            Assert.Distinct(applied.Select(e => (e.Stage, e.Step)));
            await EndAsync(cluster, run, recipe, $"database away for {Outage.TotalSeconds:F0} s after step {before.Step}: {known.TotalSeconds:F1} s until the run "
                + $"knew, {(after.At - back).TotalSeconds:F1} s from its return to the next step");
        }
    }

    private static int Times()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("RLP_CHAOS_FIGURES") is not null, "a measurement; RLP_CHAOS_FIGURES=3 takes three of each role");
        return int.Parse(Environment.GetEnvironmentVariable("RLP_CHAOS_FIGURES")!, System.Globalization.CultureInfo.InvariantCulture);
    }

    private async Task EndAsync(NodeCluster cluster, string run, string recipe, string what)
    {
        var ended = await cluster.SeeCompletedAsync(run);
        Assert.Equal(await cluster.UninterruptedAsync(recipe), await cluster.DigestsAsync(run));
        output.Record($"{what}; {ended.Figures()}");
    }
}
