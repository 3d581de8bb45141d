using System.Diagnostics;

namespace Rlp.Chaos.Tests;

/// <summary>What the loss of a node of each role costs, with one role to a node and a spare one for the victim. Measured where RLP_CHAOS_FIGURES says how often.</summary>
public sealed class RecoveryFigures(ITestOutputHelper output)
{
    private static readonly string[] Roles = ["coordinator", "learner", "ema", "data", "rollout", "reward"];

    [Theory]
    [InlineData("rollout")]
    [InlineData("reward")]
    [InlineData("learner")]
    [InlineData("ema")]
    [InlineData("coordinator")]
    public async Task A_loss_is_known_and_made_good(string role)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("RLP_CHAOS_FIGURES") is not null, "a measurement; RLP_CHAOS_FIGURES=3 takes three of each role");
        var times = int.Parse(Environment.GetEnvironmentVariable("RLP_CHAOS_FIGURES")!, System.Globalization.CultureInfo.InvariantCulture);
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
            var ended = await cluster.SeeCompletedAsync(run);
            Assert.Equal(await cluster.UninterruptedAsync(recipe), await cluster.DigestsAsync(run));
            var line = $"{role} killed at step {at}: {took:F1} s from the kill to the recovery's first new step; {ended.Figures()}";
            output.WriteLine(line);
            if (Environment.GetEnvironmentVariable("RLP_SOAK_LOG") is { } path) await File.AppendAllTextAsync(path, line + "\n");
        }
    }
}
