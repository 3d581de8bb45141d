using System.Data.Common;
using System.Runtime.CompilerServices;
using Rlp.Actors.Runs;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;
using Rlp.Protocol.Serialization;

namespace Rlp.Actors.Journals;

/// <summary>
/// Reads the journal without a node, also while other processes write it (each reader sees a consistent state). A journal that does not
/// exist yet holds no runs. Every member throws <see cref="JournalUnavailableException"/> where the database cannot be reached and
/// <see cref="InvalidDataException"/> where what it holds is no journal or an event in it cannot be read.
/// </summary>
public sealed class RunJournal(JournalSettings settings)
{
    private const string Prefix = "run-";
    private const int CommittedLate = 100;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(300);

    /// <summary>The database as messages name it.</summary>
    public string Name => settings.Name;

    /// <summary>Reaches the database and reads a row.</summary>
    public void Ping() => _ = Rows("SELECT sequence_number FROM journal LIMIT 1", row => row.GetInt64(0)).FirstOrDefault();

    /// <summary>Every run with its state, ordered by id.</summary>
    public IReadOnlyList<(string RunId, RunState State)> Runs() => [.. RunIds().Select(id => (id, State(id)))];

    public IReadOnlyList<string> RunIds() =>
    [
        // The order of a database follows its locale; that of the ids is the same everywhere.
        .. Rows("SELECT DISTINCT persistence_id FROM journal WHERE persistence_id LIKE 'run-%'", row => row.GetString(0)[Prefix.Length..])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>A run's events in the order in which they were journaled; empty where no such run exists.</summary>
    public IReadOnlyList<IRunEvent> Events(string runId) => [.. Read(runId).Select(e => e.Event)];

    /// <summary>The same one by one, as the database gives them: whatever the run's length, one event is in memory.</summary>
    /// <param name="after">Events up to this number are left out.</param>
    public IEnumerable<JournaledEvent> Read(string runId, long after = 0) => Rows(
        "SELECT sequence_number, created, manifest, message FROM journal WHERE persistence_id = @id AND NOT deleted AND sequence_number > @after ORDER BY sequence_number",
        row => Event(runId, row),
        ("id", TrainingRunActor.PersistenceIdOf(runId)),
        ("after", after));

    /// <summary>What each run takes of the journal, ordered by id.</summary>
    public IReadOnlyList<(string RunId, long Events, long Bytes, DateTimeOffset First, DateTimeOffset Last)> Count() =>
    [
        .. Rows(
            "SELECT persistence_id, COUNT(*), CAST(SUM(LENGTH(message)) AS BIGINT), MIN(created), MAX(created) FROM journal WHERE persistence_id LIKE 'run-%' GROUP BY persistence_id",
            row => (row.GetString(0)[Prefix.Length..], row.GetInt64(1), row.GetInt64(2), At(row.GetInt64(3)), At(row.GetInt64(4))))
            .OrderBy(r => r.Item1, StringComparer.Ordinal),
    ];

    /// <summary>A run's events after this number, and then those that are journaled until it is cancelled.</summary>
    public async IAsyncEnumerable<JournaledEvent> FollowAsync(string runId, long after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        for (; ; await Task.Delay(LookEvery, cancellation))
            foreach (var e in Read(runId, after))
            {
                cancellation.ThrowIfCancellationRequested();
                after = e.Number;
                yield return e;
            }
    }

    /// <summary>The newest events of all runs, and then those that are journaled until it is cancelled.</summary>
    /// <param name="last">How many of the newest to begin with.</param>
    public async IAsyncEnumerable<JournaledEvent> FollowAllAsync(int last, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var begin = Rows("SELECT ordering FROM journal WHERE persistence_id LIKE 'run-%' ORDER BY ordering DESC LIMIT @last", row => row.GetInt64(0), ("last", last + 1))
            .ToArray() is var newest && newest.Length > last ? newest[^1] : 0;
        var seen = new Queue<long>();
        for (var after = begin; ; await Task.Delay(LookEvery, cancellation))
        {
            // A server may give a transaction its place before one that is seen earlier: a little is read twice.
            var since = Math.Max(begin, after - CommittedLate);
            var rows = Rows(
                "SELECT sequence_number, created, manifest, message, ordering, persistence_id FROM journal WHERE persistence_id LIKE 'run-%' AND ordering > @after ORDER BY ordering",
                row => (Ordering: row.GetInt64(4), Event: Event(row.GetString(5)[Prefix.Length..], row)),
                ("after", since));
            foreach (var (ordering, e) in rows)
            {
                cancellation.ThrowIfCancellationRequested();
                if (seen.Contains(ordering))
                    continue;
                seen.Enqueue(ordering);
                if (seen.Count > 2 * CommittedLate)
                    seen.Dequeue();
                after = Math.Max(after, ordering);
                yield return e;
            }
        }
    }

    /// <summary><see cref="RunState.Empty"/> where no such run exists.</summary>
    public RunState State(string runId) => Read(runId).Aggregate(RunState.Empty, (state, e) => state.Apply(e.Event));

    private JournaledEvent Event(string runId, DbDataReader row)
    {
        var (number, created, manifest) = (row.GetInt64(0), row.GetInt64(1), row.GetString(2));
        try
        {
            var message = MessageRegistry.Deserialize(manifest, row.GetFieldValue<byte[]>(3)) as IRunEvent
                ?? throw new InvalidDataException($"'{manifest}' is not an event");
            return new JournaledEvent(number, At(created), manifest, message);
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException)
        {
            throw new InvalidDataException($"event {number} of run '{runId}' in {Name} cannot be read: {e.Message}. Was it written by a newer version?", e);
        }
    }

    private static DateTimeOffset At(long ticks) => new(ticks, TimeSpan.Zero);

    private IEnumerable<T> Rows<T>(string sql, Func<DbDataReader, T> read, params (string Name, object Value)[] parameters)
    {
        if (settings.File is { } file && !File.Exists(file))
            yield break;
        using var connection = Told(() => Open(settings));
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
        using var reader = Told(() => Begin(command));
        while (reader is not null && Told(reader.Read))
            yield return read(reader);
    }

    private static DbConnection Open(JournalSettings settings)
    {
        var connection = settings.Connection();
        connection.Open();
        return connection;
    }

    /// <summary>Null where the tables were not made yet.</summary>
    private static DbDataReader? Begin(DbCommand command)
    {
        try
        {
            return command.ExecuteReader();
        }
        catch (DbException e) when (JournalFailure.IsMissingTable(e))
        {
            return null;
        }
    }

    private T Told<T>(Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception e) when (JournalFailure.IsOfDatabase(e))
        {
            throw new JournalUnavailableException($"the journal {Name} cannot be read: {JournalFailure.Reason(e)}. {JournalFailure.Remedy(e)}", e);
        }
        catch (DbException e)
        {
            throw new InvalidDataException($"the journal {Name} cannot be read: {JournalFailure.Reason(e)}", e);
        }
    }
}
