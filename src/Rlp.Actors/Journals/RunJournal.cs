using Microsoft.Data.Sqlite;
using Rlp.Actors.Runs;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;
using Rlp.Protocol.Serialization;

namespace Rlp.Actors.Journals;

/// <summary>
/// Reads the journal without a node, also while another process writes it (the write-ahead log shows each reader a consistent state).
/// A journal that does not exist holds no runs.
/// </summary>
public sealed class RunJournal(string path)
{
    private const string Prefix = "run-";

    /// <summary>Every run with its state, ordered by id.</summary>
    /// <exception cref="InvalidDataException">The file is not a journal, or an event in it cannot be read.</exception>
    public IReadOnlyList<(string RunId, RunState State)> Runs() => [.. RunIds().Select(id => (id, State(id)))];

    public IReadOnlyList<string> RunIds() =>
        Read("SELECT DISTINCT persistence_id FROM journal WHERE persistence_id LIKE 'run-%' ORDER BY persistence_id", null, row => row.GetString(0)[Prefix.Length..]);

    /// <summary>A run's events in the order in which they were journaled; empty where no such run exists.</summary>
    public IReadOnlyList<IRunEvent> Events(string runId) => Read(
        "SELECT manifest, message, sequence_number FROM journal WHERE persistence_id = $id AND deleted = 0 ORDER BY sequence_number",
        runId,
        row => Event(runId, row));

    /// <summary><see cref="RunState.Empty"/> where no such run exists.</summary>
    public RunState State(string runId) => Events(runId).Aggregate(RunState.Empty, (state, e) => state.Apply(e));

    private IRunEvent Event(string runId, SqliteDataReader row)
    {
        var (manifest, number) = (row.GetString(0), row.GetInt64(2));
        try
        {
            return MessageRegistry.Deserialize(manifest, row.GetFieldValue<byte[]>(1)) as IRunEvent
                ?? throw new InvalidDataException($"'{manifest}' is not an event");
        }
        catch (Exception e) when (e is ArgumentException or InvalidDataException)
        {
            throw new InvalidDataException($"event {number} of run '{runId}' in {path} cannot be read: {e.Message}. Was it written by a newer version?", e);
        }
    }

    private List<T> Read<T>(string sql, string? runId, Func<SqliteDataReader, T> read)
    {
        if (!File.Exists(path))
            return [];
        try
        {
            // Not read-only: a reader of a write-ahead log writes its own mark into the -shm file.
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ToString());
            connection.Open();
            using var exists = connection.CreateCommand();
            exists.CommandText = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'journal'";
            if ((long)exists.ExecuteScalar()! == 0)
                return [];
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            if (runId is not null)
                command.Parameters.AddWithValue("$id", TrainingRunActor.PersistenceIdOf(runId));
            using var reader = command.ExecuteReader();
            var rows = new List<T>();
            while (reader.Read())
                rows.Add(read(reader));
            return rows;
        }
        catch (SqliteException e)
        {
            throw new InvalidDataException($"the journal {path} cannot be read: {e.Message}", e);
        }
    }
}
