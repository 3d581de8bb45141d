using System.Diagnostics;
using Npgsql;
using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Tests;

/// <summary>The journal is read without a node, from either database, with errors that say what to do.</summary>
public sealed class RunJournalTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public async Task A_run_is_read_event_by_event_with_numbers_and_times(JournalProvider provider)
    {
        using var database = TestDatabase.Create(provider, folder.Path);
        var from = DateTimeOffset.UtcNow;
        var recipe = Recipes.Full(pretrain: 2, cpt: 1, rlp: 2);
        await using (var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()) with { Journal = database.Journal }))
        {
            await node.RunAsync("b", recipe);
            await node.RunAsync("A", recipe);
        }
        var journal = new RunJournal(database.Journal);
        Assert.Equal(["A", "b"], journal.RunIds());
        var read = journal.Read("b").ToArray();
        Assert.Equal(Enumerable.Range(1, read.Length).Select(n => (long)n), read.Select(e => e.Number));
        Assert.IsType<RunCreated>(read[0].Event);
        Assert.IsType<RunCompleted>(read[^1].Event);
        Assert.Equal(("run-created/1", "run-completed/1"), (read[0].Manifest, read[^1].Manifest));
        Assert.All(read, e => Assert.InRange(e.At, from.AddSeconds(-1), DateTimeOffset.UtcNow.AddSeconds(1)));
        Assert.Equal(RunStatus.Completed, journal.State("b").Status);
        Assert.Empty(journal.Read("c"));
        // A reader that stops early leaves nothing open.
        Assert.IsType<RunCreated>(journal.Read("b").First().Event);
    }

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public async Task A_journal_is_followed_counted_and_asked_again_for_what_is_new(JournalProvider provider)
    {
        using var database = TestDatabase.Create(provider, folder.Path);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()) with { Journal = database.Journal });
        var journal = new RunJournal(database.Journal);
        var states = new RunStates(journal);
        Assert.Equal(RunStatus.Absent, states.Of("b").Status);
        Assert.Empty(journal.Count());
        var recipe = Recipes.Full(pretrain: 2, cpt: 1, rlp: 2);
        await node.RunAsync("b", recipe);
        var past = journal.Read("b").ToArray();
        Assert.Equal(RunStatus.Completed, states.Of("b").Status);

        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var (one, all) = (new List<JournaledEvent>(), new List<JournaledEvent>());
        var followed = Task.WhenAll(
            Follow(journal.FollowAsync("b", past.Length - 3, stop.Token), one, 3), Follow(journal.FollowAllAsync(2, stop.Token), all, 2 + past.Length));
        await node.RunAsync("A", recipe);
        await followed;

        Assert.Equal(past[^3..].Select(e => e.Number), one.Select(e => e.Number));
        Assert.Equal(past[^2..].Select(e => e.Number), all.Take(2).Select(e => e.Number));
        Assert.Equal(journal.Read("A").Select(e => e.Number), all.Skip(2).Select(e => e.Number));
        Assert.All(all.Skip(2), e => Assert.Equal("A", ((Rlp.Protocol.IRunMessage)e.Event).RunId));
        var counted = journal.Count();
        Assert.Equal([("A", past.LongLength), ("b", past.LongLength)], counted.Select(c => (c.RunId, c.Events)));
        Assert.All(counted, c => Assert.True(c.Bytes > 1000 && c.First <= c.Last));
        Assert.Equal(journal.State("A"), states.Of("A"), (left, right) => left.Status == right.Status && left.Checkpoints.SequenceEqual(right.Checkpoints));

        static async Task Follow(IAsyncEnumerable<JournaledEvent> events, List<JournaledEvent> seen, int until)
        {
            await foreach (var e in events)
            {
                seen.Add(e);
                if (seen.Count == until)
                    return;
            }
        }
    }

    [Fact]
    public async Task A_state_that_is_asked_for_again_is_that_of_the_whole_journal()
    {
        var gate = new CallGate("rlp learn", 2);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines { OnCall = gate.Pass }));
        var states = new RunStates(node.Journal);
        var started = await node.Runs.StartAsync("r", Recipes.Full(pretrain: 2, cpt: 1, rlp: 3));
        await gate.Reached;
        Assert.Equal(1, states.Of("r").Stage!.Applied);
        gate.Open();
        await node.EndAsync("r", started);
        Assert.Equal(3, states.Of("r").Stage!.Applied);
        Assert.Equal(node.Journal.State("r").Recovery, states.Of("r").Recovery);
    }

    [Theory]
    [InlineData(JournalProvider.Sqlite)]
    [InlineData(JournalProvider.PostgreSql)]
    public void A_database_without_tables_holds_no_runs(JournalProvider provider)
    {
        using var database = TestDatabase.Create(provider, folder.Path);
        if (provider == JournalProvider.Sqlite)
            database.Journal.Prepare();
        Assert.Empty(new RunJournal(database.Journal).RunIds());
        Assert.Empty(new RunJournal(database.Journal).Runs());
        Assert.Equal(RunStatus.Absent, new RunJournal(database.Journal).State("r").Status);
    }

    [Fact]
    public void A_file_that_is_no_database_is_named()
    {
        var file = Path.Combine(folder.Path, "journal.db");
        File.WriteAllText(file, new string('x', 5000));
        Assert.Contains($"the journal {file} cannot be read", Assert.Throws<InvalidDataException>(() => new RunJournal(JournalSettings.Sqlite(file)).RunIds()).Message);
    }

    [Fact]
    public void A_server_that_cannot_be_reached_is_named_at_once_and_without_the_password()
    {
        var journal = JournalSettings.Of(JournalProvider.PostgreSql, "Host=127.0.0.1;Port=1;Database=runs;Username=me;Password=geheim");
        var clock = Stopwatch.StartNew();
        foreach (var e in (Exception[])[
            Assert.Throws<JournalUnavailableException>(() => new RunJournal(journal).RunIds()),
            Assert.Throws<JournalUnavailableException>(journal.Prepare)])
        {
            Assert.Contains("PostgreSQL database 'runs' at 127.0.0.1:1 (user 'me')", e.Message);
            Assert.Contains("Check that the server runs", e.Message);
            Assert.DoesNotContain("geheim", e.ToString());
        }
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void A_wrong_password_a_missing_database_and_missing_rights_are_told_apart()
    {
        string Error(Action<NpgsqlConnectionStringBuilder> change)
        {
            var builder = new NpgsqlConnectionStringBuilder(TestDatabase.Server) { Pooling = false };
            change(builder);
            var journal = JournalSettings.Of(JournalProvider.PostgreSql, builder.ToString());
            var e = Assert.Throws<JournalUnavailableException>(() => new RunJournal(journal).RunIds());
            if (builder.Password is { Length: > 0 } password)
                Assert.DoesNotContain(password, e.ToString());
            return e.Message;
        }
        Assert.Contains("Check user and password", Error(b => b.Password = "not-the-password"));
        Assert.Contains("Create that database", Error(b => b.Database = "no_such_database"));
    }

    [Theory]
    [InlineData(JournalProvider.PostgreSql, "Database=rlp", "it names no host")]
    [InlineData(JournalProvider.PostgreSql, "Host=x;Pasword=geheim", "pasword")]
    [InlineData(JournalProvider.Sqlite, "Mode=ReadOnly", "it names no file")]
    public void A_connection_string_that_cannot_be_used_is_refused_without_its_values(JournalProvider provider, string text, string expected)
    {
        var e = Assert.ThrowsAny<ArgumentException>(() => JournalSettings.Of(provider, text));
        Assert.Contains(expected, e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("geheim", e.Message);
    }

    [Fact]
    public void A_password_is_in_no_text_of_the_settings()
    {
        var journal = JournalSettings.Of(JournalProvider.PostgreSql, "Host=db;Database=rlp;Username=me;Password=geheim");
        var options = TestNode.OptionsFor(folder.Path, new FakeEngines()) with { Journal = journal };
        Assert.DoesNotContain("geheim", $"{journal} {journal.Name} {options}");
        Assert.Equal("Host=db;Database=rlp;Username=me", JournalSettings.WithoutPassword(JournalProvider.PostgreSql, "Host=db;Database=rlp;Username=me;Password=geheim"));
        Assert.Equal("", JournalSettings.WithoutPassword(JournalProvider.PostgreSql, "Pasword=geheim"));
    }
}
