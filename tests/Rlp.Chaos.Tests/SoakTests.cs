using System.Diagnostics;
using System.Globalization;

namespace Rlp.Chaos.Tests;

/// <summary>
/// Nodes of all roles are killed again and again, one or two at a time, and started again a moment later, until enough kills are done; every run
/// must have the series of one process. On a PostgreSQL journal the database crashes like a node. results/README.md has the command of the long version.
/// </summary>
public sealed class SoakTests(ITestOutputHelper output)
{
    private static readonly TimeSpan ProgressWithin = TimeSpan.FromMinutes(2);

    /// <summary>Kills for each seed.</summary>
    private static readonly int Kills = Setting("RLP_SOAK_KILLS", 2);

    private static readonly int Steps = Setting("RLP_SOAK_STEPS", 60);

    /// <summary>Seconds from kill to kill; 0: up to 3 s after the run has gone on.</summary>
    private static readonly int EverySeconds = Setting("RLP_SOAK_EVERY_SECONDS", 0);

    private static readonly bool Postgres = (Environment.GetEnvironmentVariable("RLP_SOAK_JOURNAL") ?? "sqlite") switch
    {
        "sqlite" => false,
        "postgresql" => true,
        var other => throw new InvalidOperationException($"RLP_SOAK_JOURNAL is '{other}'; expected sqlite or postgresql"),
    };

    private static readonly int[] Seeds = [.. (Environment.GetEnvironmentVariable("RLP_SOAK_SEEDS") ?? "1").Split(',').Select(s => int.Parse(s, CultureInfo.InvariantCulture))];

    private readonly Dictionary<string, int> killed = [];
    private readonly Dictionary<string, long> restartAt = [];
    private int done;
    private int leftByThemselves;

    [Fact]
    public async Task Runs_whose_nodes_are_killed_again_and_again_have_the_series_of_one_process()
    {
        await using var cluster = new NodeCluster(Postgres);
        await cluster.InitializeAsync();
        var (runs, recoveries, lostSeconds, seconds) = (0, 0.0, 0.0, 0.0);
        foreach (var seed in Seeds)
        {
            var (random, left) = (new Random(seed), Kills);
            while (left > 0)
            {
                var started = Stopwatch.GetTimestamp();
                var run = await cluster.SubmitAsync(cluster.Recipe(seed, Steps));
                var before = left;
                left = await KillUntilCompleteAsync(cluster, run, random, left);
                var took = Stopwatch.GetElapsedTime(started).TotalSeconds;
                var ended = await cluster.SeeCompletedAsync(run);
                Assert.Equal(await cluster.UninterruptedAsync(cluster.Recipe(seed, Steps)), await cluster.DigestsAsync(run));
                Assert.Equal(0, ended.Recovery["lost_groups"]);
                Say($"seed {seed} {run}: {before - left} kills in {took:F0} s, series identical; {ended.Figures()}");
                (runs, recoveries, seconds) = (runs + 1, recoveries + ended.Recovery["count"], seconds + took);
                lostSeconds += ended.Recovery["count"] * (ended.Recovery["mttd_s"] + ended.Recovery["mttr_s"]);
            }
        }
        Say($"{done} kills in {runs} runs: {string.Join(", ", killed.OrderBy(k => k.Key).Select(k => $"{k.Key} {k.Value}"))}; "
            + $"{leftByThemselves} nodes ended by themselves and were started again; {recoveries} recoveries; all series identical; "
            + $"time between losses and new steps {lostSeconds:F0} s of {seconds:F0} s (ETTR {1 - lostSeconds / seconds:F2})");
    }

    /// <returns>The kills that are left to do.</returns>
    private async Task<int> KillUntilCompleteAsync(NodeCluster cluster, string run, Random random, int left)
    {
        var (seen, seenAt, killedAt) = (("", -1L), Stopwatch.GetTimestamp(), ("", -1L));
        var next = Pause(random);
        var since = Stopwatch.GetTimestamp();
        while (true)
        {
            StartDue(cluster, random);
            if (await cluster.SeeAsync(run) is { } sight)
            {
                Assert.True(sight.Status is "running" or "completed", $"{sight}\n{cluster.Describe()}");
                if (sight.Status == "completed") return left;
                if (seen != (sight.Stage, sight.Step)) (seen, seenAt) = ((sight.Stage, sight.Step), Stopwatch.GetTimestamp());
                if (left > 0 && sight.Stage == "rlp" && seen != killedAt && Stopwatch.GetElapsedTime(since) > next)
                {
                    foreach (var victim in random.GetItems(Victims(cluster), random.Next(5) == 0 ? 2 : 1).Distinct().Except(cluster.Dead))
                    {
                        await cluster.KillAsync(victim);
                        restartAt[victim] = Stopwatch.GetTimestamp() + random.Next(4000) * Stopwatch.Frequency / 1000;
                        Count(victim == NodeCluster.Database ? victim : $"node {victim}", victim == sight.Node ? "run entity" : null, victim == sight.Seats.GetValueOrDefault("learner") ? "learner" : null);
                        left--;
                    }
                    (killedAt, since, next) = (seen, Stopwatch.GetTimestamp(), Pause(random));
                }
            }
            Assert.True(Stopwatch.GetElapsedTime(seenAt) < ProgressWithin, $"no step since {seen} within {ProgressWithin}\n{cluster.Describe()}");
            await Task.Delay(100);
        }
    }

    /// <summary>What a service manager does: a process that has ended, for whatever reason, is started again.</summary>
    private void StartDue(NodeCluster cluster, Random random)
    {
        foreach (var name in cluster.Dead)
        {
            if (!restartAt.TryGetValue(name, out var due))
            {
                leftByThemselves++;
                restartAt[name] = Stopwatch.GetTimestamp() + random.Next(2000) * Stopwatch.Frequency / 1000;
            }
            else if (Stopwatch.GetTimestamp() >= due)
            {
                restartAt.Remove(name);
                cluster.Start(name);
            }
        }
    }

    private static string[] Victims(NodeCluster cluster) => Postgres ? [.. cluster.Names, NodeCluster.Database] : [.. cluster.Names];

    private static TimeSpan Pause(Random random) => EverySeconds > 0 ? TimeSpan.FromSeconds(EverySeconds) : TimeSpan.FromMilliseconds(random.Next(3000));

    private void Count(string node, params string?[] had)
    {
        done++;
        foreach (var what in (string?[])[node, .. had])
            if (what is not null) killed[what] = killed.GetValueOrDefault(what) + 1;
    }

    private void Say(string line) => output.Record($"{DateTime.UtcNow:HH:mm:ss} {line}");

    private static int Setting(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
