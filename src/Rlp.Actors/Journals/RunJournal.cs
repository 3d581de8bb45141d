using System.Data.Common;
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

    /// <summary>The database as messages name it.</summary>
    public string Name => settings.Name;

    /// <summary>Reaches the database and reads a row.</summary>
    public void Ping() => _ = Rows("SELECT sequence_number FROM journal LIMIT 1", null, row => row.GetInt64(0)).FirstOrDefault();

    /// <summary>Every run with its state, ordered by id.</summary>
    public IReadOnlyList<(string RunId, RunState State)> Runs() => [.. RunIds().Select(id => (id, State(id)))];

    public IReadOnlyList<string> RunIds() =>
    [
        // The order of a database follows its locale; that of the ids is the same everywhere.
        .. Rows("SELECT DISTINCT persistence_id FROM journal WHERE persistence_id LIKE 'run-%'", null, row => row.GetString(0)[Prefix.Length..])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>A run's events in the order in which they were journaled; empty where no such run exists.</summary>
    public IReadOnlyList<IRunEvent> Events(string runId) => [.. Read(runId).Select(e => e.Event)];

    /// <summary>The same one by one, as the database gives them: whatever the run's length, one event is in memory.</summary>
    public IEnumerable<JournaledEvent> Read(string runId) => Rows(
        "SELECT sequence_number, created, manifest, message FROM journal WHERE persistence_id = @id AND NOT deleted ORDER BY sequence_number",
        runId,
        row => Event(runId, row));

    /// <summary><see cref="RunState.Empty"/> where no such run exists.</summary>
    public RunState State(string runId) => Read(runId).Aggregate(RunState.Empty, (state, e) => state.Apply(e.Event));

    private JournaledEvent Event(string runId, DbDataReader row)
    {
        var (number, created, manifest) = (row.GetInt64(0), row.GetInt64(1), row.GetString(2));
        try
        {
            var message = MessageRegistry.Deserialize(manifest, row.GetFieldValue<byte[]>(3)) as IRunEvent
                ?? throw new InvalidDataException($"'{manifest}' is not an event");
            return new JournaledEvent(number, new DateTimeOffset(created, TimeSpan.Zero), manifest, message);
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException)
        {
            throw new InvalidDataException($"event {number} of run '{runId}' in {Name} cannot be read: {e.Message}. Was it written by a newer version?", e);
        }
    }

    private IEnumerable<T> Rows<T>(string sql, string? runId, Func<DbDataReader, T> read)
    {
        if (settings.File is { } file && !File.Exists(file))
            yield break;
        using var connection = Told(() => Open(settings));
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        if (runId is not null)
        {
            var id = command.CreateParameter();
            (id.ParameterName, id.Value) = ("id", TrainingRunActor.PersistenceIdOf(runId));
            command.Parameters.Add(id);
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
