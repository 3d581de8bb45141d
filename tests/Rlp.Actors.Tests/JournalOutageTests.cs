using Npgsql;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

/// <summary>A journal that fails for a while costs its runs time and nothing else.</summary>
public sealed class JournalOutageTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static JournalSettings JournalOf(PostgresServer server) => JournalSettings.Of(JournalProvider.PostgreSql, server.ConnectionString);

    private static JournalSettings Impatient(JournalSettings journal) =>
        journal with { Backoff = TimeSpan.FromMilliseconds(100), MaximumBackoff = TimeSpan.FromMilliseconds(500) };

    private static void AssertWhole(TestNode node, IReadOnlyList<string> expected, string runId)
    {
        Assert.Equal(expected, TestNode.Series(node.Journal, runId));
        RecoveryTests.AssertNothingTwice(node.Journal.Events(runId));
    }

    [Theory]
    [InlineData("rlp sample", 3, 0)]
    [InlineData("rlp learn", 5, 2)]
    [InlineData("rlp seal", 6, 0)]
    [InlineData("rlp evaluate", 20, 0)]
    public async Task A_database_server_that_crashes_and_comes_back_in_mid_run_costs_a_pause(string call, long step, int staleness)
    {
        using var server = TestDatabase.OwnServer();
        var recipe = Recipes.Full(staleness: staleness);
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        var crashed = false;
        Task? back = null;
        var engines = new FakeEngines
        {
            OnCall = (what, at) =>
            {
                if (crashed || what != call || at != step)
                    return;
                crashed = true;
                server.Kill();
                back = Task.Run(async () =>
                {
                    await Task.Delay(1500);
                    server.Start();
                });
            },
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("cut"), engines) with { Journal = Impatient(JournalOf(server)) });
        var progress = await node.RunAsync("r", recipe);
        await back!;

        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        AssertWhole(node, expected, "r");
        var notices = progress.OfType<RunNotice>().Select(n => n.Message).ToArray();
        Assert.Contains(notices, n => n.Contains(JournalOf(server).Name) && n.Contains("is tried again in"));
        Assert.Contains(notices, n => n.Contains("answers again after"));
        var password = new NpgsqlConnectionStringBuilder(server.ConnectionString).Password!;
        Assert.DoesNotContain(notices, n => n.Contains(password));
        Assert.DoesNotContain(password, File.ReadAllText(node.Options.LogFile));
    }

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public async Task Whichever_event_cannot_be_written_for_a_while_the_run_ends_with_the_same_series(JournalProvider provider)
    {
        var recipe = Recipes.Full(pretrain: 2, cpt: 1, rlp: 2, checkpointEvery: 2, evaluateEvery: 2);
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        using var database = TestDatabase.Create(provider, folder.Path);
        var (writes, refuseAt) = (0, int.MaxValue);
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = Impatient(database.Journal) with { Backoff = TimeSpan.FromMilliseconds(30) },
            OnJournal = (_, durable) =>
            {
                if (!durable && ++writes == refuseAt)
                    database.Refuse();
            },
        };
        await using var node = await TestNode.StartAsync(options);
        for (var at = 1; ; at++)
        {
            if (at == 1)
                await node.RunAsync("first", recipe); // makes the tables
            (writes, refuseAt) = (0, at);
            var runId = $"r-{at}";
            var over = false;
            var repaired = Task.Run(async () =>
            {
                await TestNode.EventuallyAsync(() => Task.FromResult(writes > at || over), "the write is tried again");
                if (writes > at)
                    database.Accept();
            });
            var progress = await node.RunAsync(runId, recipe);
            over = true;
            Assert.Equal((runId, RunStatus.Completed), (runId, Assert.IsType<RunEnded>(progress[^1]).Status));
            AssertWhole(node, expected, runId);
            if (writes < at)
            {
                Assert.InRange(at, 20, 60);
                break;
            }
            await repaired;
        }
    }

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public async Task A_journal_that_stays_away_ends_the_run_with_the_reason_and_the_next_start_goes_on(JournalProvider provider)
    {
        var recipe = Recipes.Full();
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        using var database = TestDatabase.Create(provider, folder.Path);
        var refuse = true;
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = Impatient(database.Journal) with { GiveUpAfter = TimeSpan.FromSeconds(1) },
            OnJournal = (events, durable) =>
            {
                if (!refuse || durable || events[0] is not StepApplied { Stage: "cpt", Step: 2 })
                    return;
                refuse = false;
                database.Refuse();
            },
        };
        await using var node = await TestNode.StartAsync(options);
        var ended = Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]);
        Assert.Equal((RunStatus.Failed, FailureKind.Infrastructure), (ended.Status, ended.Kind));
        Assert.Contains(database.Journal.Name, ended.Message);
        Assert.Contains("the disk is full", ended.Message);
        Assert.Contains("give-up-after", ended.Message);

        database.Accept();
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        AssertWhole(node, expected, "r");
    }

    /// <summary>
    /// A server that waits for a standby commits, and answers only when the standby did: ended while it waits, it has written what nobody confirmed.
    /// </summary>
    [Theory]
    [InlineData("RunCreated")]
    [InlineData("StepApplied")]
    [InlineData("CheckpointCommitted")]
    [InlineData("RunCompleted")]
    public async Task Events_that_were_written_and_not_confirmed_are_not_written_again(string unconfirmed)
    {
        using var server = TestDatabase.OwnServer();
        var recipe = Recipes.Full();
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        var arm = false;
        void Server(string sql)
        {
            using var connection = new NpgsqlConnection(server.ConnectionString + ";Pooling=false");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }
        void ConfirmNothing(string standby)
        {
            Server($"ALTER SYSTEM SET synchronous_standby_names = '{standby}'");
            Server("SELECT pg_reload_conf()");
        }
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = Impatient(JournalOf(server)),
            OnJournal = (events, durable) =>
            {
                if (!arm || durable || !events.Any(e => e.GetType().Name == unconfirmed))
                    return;
                arm = false;
                ConfirmNothing("nobody");
                Thread.Sleep(300); // a server process takes new settings between two statements
                _ = Task.Run(async () =>
                {
                    await Task.Delay(700);
                    Server("SET synchronous_commit = local; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
                    ConfirmNothing("");
                });
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("first", recipe); // makes the tables
        arm = true;
        var progress = await node.RunAsync("r", recipe);
        Assert.False(arm, "nothing was left unconfirmed");
        Assert.Contains(progress, p => p is RunNotice { Suspended: true } || unconfirmed == "RunCreated");
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        AssertWhole(node, expected, "r");
        Assert.Single(node.Journal.Events("r").OfType<RunCreated>());
        Assert.Single(node.Journal.Events("r").OfType<RunCompleted>());
    }

    /// <summary>The write that waits for the lock is given up, and succeeds later all the same: nobody may write its events again.</summary>
    [Fact]
    public async Task A_file_that_another_program_locks_for_longer_than_a_write_may_take_costs_a_pause()
    {
        var recipe = Recipes.Full();
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        using var database = TestDatabase.Create(JournalProvider.Sqlite, folder.Path);
        var free = true;
        Task? released = null;
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = Impatient(database.Journal) with { CallTimeout = TimeSpan.FromSeconds(1) },
            OnJournal = (events, durable) =>
            {
                if (!free || durable || events[0] is not StepApplied { Stage: "rlp", Step: 5 })
                    return;
                free = false;
                var other = database.Journal.Connection();
                other.Open();
                var hold = other.CreateCommand();
                hold.CommandText = "BEGIN IMMEDIATE";
                hold.ExecuteNonQuery();
                released = Task.Delay(3000).ContinueWith(_ => other.Dispose());
            },
        };
        await using var node = await TestNode.StartAsync(options);
        var progress = await node.RunAsync("r", recipe);
        await released!;
        Assert.Contains(progress.OfType<RunNotice>(), n => n.Message.Contains(database.Journal.Name) && n.Message.Contains("is tried again in"));
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        AssertWhole(node, expected, "r");
    }

    [Fact]
    public async Task Who_asks_a_run_to_stop_while_its_journal_is_away_is_told_so()
    {
        var recipe = Recipes.Full();
        using var database = TestDatabase.Create(JournalProvider.Sqlite, folder.Path);
        var refuse = true;
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = Impatient(database.Journal) with { StopWithin = TimeSpan.FromSeconds(2) },
            OnJournal = (events, durable) =>
            {
                if (!refuse || durable || events[0] is not StepApplied { Stage: "cpt", Step: 2 })
                    return;
                refuse = false;
                database.Refuse();
            },
        };
        await using var node = await TestNode.StartAsync(options);
        var started = await node.Runs.StartAsync("r", recipe);
        await TestNode.NoticeAsync(started, "is tried again in");
        var refused = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StopAsync("r", "enough"));
        Assert.Contains("was asked to stop", refused.Message);
        Assert.Equal(RunStatus.Failed, Assert.IsType<RunEnded>((await node.EndAsync("r", started))[^1]).Status);
    }
}
