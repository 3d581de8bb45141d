using System.Collections.Concurrent;
using System.Diagnostics;
using Rlp.Actors.Journals;
using Rlp.Actors.Serialization;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Protocol.Serialization;

namespace Rlp.Actors.Tests;

/// <summary>Snapshots bound what a recovery reads; they never decide what a run is.</summary>
public sealed class SnapshotTests(ITestOutputHelper output) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public async Task A_run_that_is_cut_off_recovers_from_its_snapshot_and_the_events_after_it(JournalProvider provider)
    {
        var recipe = Recipes.Full(rlp: 20, staleness: 1);
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        using var database = TestDatabase.Create(provider, folder.Path);
        var recovered = new ConcurrentQueue<int>();
        var cut = true;
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = database.Journal with { SnapshotEvery = 10 },
            OnRecovered = (_, events) => recovered.Enqueue(events),
            OnJournal = (events, durable) =>
            {
                if (cut && durable && events[0] is StepApplied { Stage: "rlp", Step: 14 })
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("r", recipe);
        cut = false;
        var before = node.Journal.Events("r").Count;
        await TestNode.EventuallyAsync(() => Task.FromResult(Snapshots(database) is > 0 and <= 3), "old snapshots are deleted");
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);

        Assert.Equal(0, recovered.First());
        Assert.True(before > 60, $"{before} events");
        Assert.InRange(recovered.Last(), 0, 14); // ten at most, and those of the transaction that passed the ten; none where the cut one did
        Assert.Equal(expected, TestNode.Series(node.Journal, "r"));
        RecoveryTests.AssertNothingTwice(node.Journal.Events("r"));
    }

    [Theory]
    [InlineData(JournalProvider.Sqlite, "UPDATE snapshot SET snapshot = @bytes")]
    [InlineData(JournalProvider.Sqlite, "UPDATE snapshot SET manifest = 'run-snapshot/9'")]
    [InlineData(JournalProvider.Sqlite, "UPDATE snapshot SET serializer_id = 77")]
    [InlineData(JournalProvider.PostgreSql, "UPDATE snapshot SET snapshot = @bytes")]
    public async Task A_snapshot_that_cannot_be_read_is_named_and_all_events_are_read_instead(JournalProvider provider, string damage)
    {
        var recipe = Recipes.Full();
        var expected = await TestNode.Uninterrupted(folder.Sub("whole"), recipe);
        using var database = TestDatabase.Create(provider, folder.Path);
        var recovered = new ConcurrentQueue<int>();
        var cut = true;
        var options = TestNode.OptionsFor(folder.Sub("cut"), new FakeEngines()) with
        {
            Journal = database.Journal with { SnapshotEvery = 10 },
            OnRecovered = (_, events) => recovered.Enqueue(events),
            OnJournal = (events, durable) =>
            {
                if (cut && durable && events[0] is StepApplied { Stage: "rlp", Step: 7 })
                    throw new InvalidOperationException("cut off here");
            },
        };
        await using var node = await TestNode.StartAsync(options);
        await node.RunAsync("r", recipe);
        cut = false;
        var before = node.Journal.Events("r").Count;
        await TestNode.EventuallyAsync(() => Task.FromResult(Number(database, "max(sequence_number)") > before - 14), "the newest state is saved");
        Assert.True(database.Execute(damage, damage.Contains("@bytes") ? [("bytes", new byte[] { 10, 1, 114, 26, 2, 1 })] : []) > 0);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);

        Assert.Equal(before, recovered.Last());
        Assert.Contains("the run's snapshot in", File.ReadAllText(node.Options.LogFile));
        Assert.Equal(expected, TestNode.Series(node.Journal, "r"));
        // The snapshots after it are sound again.
        await node.RunAsync("r", recipe);
        await TestNode.EventuallyAsync(() => Task.FromResult(recovered.Last() < 15), "the next recovery uses a newer snapshot");
    }

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public async Task A_journal_of_ten_thousand_steps_is_read_once_and_then_from_its_snapshot(JournalProvider provider)
    {
        using var database = TestDatabase.Create(provider, folder.Path);
        var recovered = new ConcurrentQueue<int>();
        var options = TestNode.OptionsFor(folder.Sub("runs"), new FakeEngines()) with { Journal = database.Journal, OnRecovered = (_, events) => recovered.Enqueue(events) };
        await using (var node = await TestNode.StartAsync(options))
            await node.Runs.ReportAsync("nobody"); // makes the tables
        var events = LongRun(steps: 10_000).ToArray();
        Write(database, "long", events);

        foreach (var read in (int[])[events.Length, 0])
        {
            await using var node = await TestNode.StartAsync(options);
            var clock = Stopwatch.StartNew();
            var report = await node.Runs.ReportAsync("long");
            output.WriteLine($"{provider}: {read} events, {report.Step} steps, recovered in {clock.Elapsed.TotalSeconds:F3} s");
            Assert.Equal(10_000, report.Step);
            Assert.Equal(read, recovered.Last());
            await TestNode.EventuallyAsync(() => Task.FromResult(Snapshots(database) == 1), "the state is saved");
        }
    }

    private static int Snapshots(TestDatabase database) => Number(database, "count(*)");

    private static int Number(TestDatabase database, string what)
    {
        using var connection = database.Journal.Connection();
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT {what} FROM snapshot";
        return command.ExecuteScalar() is { } number and not DBNull ? Convert.ToInt32(number) : 0;
    }

    /// <summary>A stage of Algorithm 1 with two lanes of four groups, as its run journals it.</summary>
    private static IEnumerable<IRunEvent> LongRun(long steps)
    {
        var plan = new RunPlan { Stages = [new StagePlan { Id = "rlp", Rlp = true, Steps = steps + 1, Lanes = 2, CheckpointEvery = 100 }] };
        yield return new RunCreated { RunId = "long", RecipeJson = "{}", RecipeSha256 = "recipe", Plan = plan };
        yield return new StageStarted { RunId = "long", Stage = "rlp" };
        for (var step = 1L; step <= steps; step++)
        {
            yield return new StepPlanned
            {
                RunId = "long",
                Stage = "rlp",
                Step = step,
                CursorFrom = new WireCursor { Document = 8 * (step - 1) },
                CursorTo = new WireCursor { Document = 8 * step },
                Lanes = [new LanePlan { Groups = [0, 1, 2, 3] }, new LanePlan { Lane = 1, Groups = [4, 5, 6, 7] }],
                PolicyVersion = step - 1,
            };
            for (var lane = 0; lane < 2; lane++)
                yield return new GroupsAccepted
                {
                    RunId = "long",
                    Stage = "rlp",
                    Step = step,
                    Lane = lane,
                    Groups = [.. Enumerable.Range(4 * lane, 4).Select(g => new AcceptedGroup
                    {
                        Group = g,
                        ThoughtsSha256 = new string('0', 64),
                        PredictedEvidence = new double[16],
                        Rewards = new double[16],
                    })],
                };
            yield return new StepApplied
            {
                RunId = "long",
                Stage = "rlp",
                Step = step,
                PolicyVersion = step,
                ParametersSha256 = new string('1', 64),
                ThoughtsSha256 = new string('2', 64),
                Metrics = Enumerable.Range(0, 20).ToDictionary(i => $"metric/{i}", i => (double)i),
            };
            if (step % 100 == 0)
                yield return new CheckpointCommitted { RunId = "long", Stage = "rlp", Step = step, Path = $"checkpoints/rlp/step-{step:00000000}", Sha256 = new string('3', 64) };
        }
    }

    private static void Write(TestDatabase database, string runId, IEnumerable<IRunEvent> events)
    {
        using var connection = database.Journal.Connection();
        connection.Open();
        using var transaction = connection.BeginTransaction();
        using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = "INSERT INTO journal (deleted, persistence_id, sequence_number, created, message, identifier, manifest, writer_uuid) "
            + $"VALUES ({(database.Journal.Provider == JournalProvider.Sqlite ? "0" : "false")}, @id, @number, @created, @message, {RlpSerializer.Id}, @manifest, 'test')";
        var parameters = new[] { "id", "number", "created", "message", "manifest" }.ToDictionary(name => name, name =>
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = name;
            command.Parameters.Add(parameter);
            return parameter;
        });
        var number = 0L;
        foreach (var e in events)
        {
            parameters["id"].Value = $"run-{runId}";
            parameters["number"].Value = ++number;
            parameters["created"].Value = DateTime.UtcNow.Ticks;
            parameters["message"].Value = MessageRegistry.Serialize(e);
            parameters["manifest"].Value = MessageRegistry.ManifestOf(e.GetType());
            command.ExecuteNonQuery();
        }
        transaction.Commit();
    }
}
