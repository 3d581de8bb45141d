using Microsoft.Data.Sqlite;

namespace Rlp.Actors.Hosting;

/// <summary>The SQLite file behind the journal.</summary>
internal static class SqliteJournalFile
{
    public static string ConnectionString(string path) => new SqliteConnectionStringBuilder
    {
        DataSource = path,
        DefaultTimeout = 30, // seconds that a write waits for another process's write
    }.ToString();

    /// <summary>Makes the file with a write-ahead log, which lets others read it while a run writes; the mode stays with the file.</summary>
    /// <exception cref="InvalidOperationException">The file cannot be opened or written.</exception>
    public static void Prepare(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            using var connection = new SqliteConnection(ConnectionString(path));
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode = WAL";
            if (command.ExecuteScalar() as string != "wal")
                throw new IOException("it does not take a write-ahead log; put it on a local disk");
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"the journal {path} cannot be opened: {e.Message}", e);
        }
    }
}
