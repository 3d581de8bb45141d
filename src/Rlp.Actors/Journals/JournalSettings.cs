using System.Data.Common;
using LinqToDB;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Rlp.Actors.Journals;

public enum JournalProvider
{
    /// <summary>A file of this machine: one or more processes of one host.</summary>
    Sqlite,

    /// <summary>A server that every node of a cluster reaches.</summary>
    PostgreSql,
}

/// <summary>What a commit to SQLite waits for; PostgreSQL's own synchronous_commit decides there.</summary>
public enum JournalSynchronous
{
    /// <summary>
    /// A commit survives the death of the process, not the loss of power: then the last commits may be gone (the file stays consistent).
    /// Safe for a run, because it continues from an earlier state of the same journal: the steps whose events were lost are executed again
    /// and give the same bits.
    /// </summary>
    Normal,

    /// <summary>A commit survives the loss of power; each waits for the disk.</summary>
    Full,
}

/// <summary>Which database holds the journal and how it is written. Its text never shows a password.</summary>
public sealed record JournalSettings
{
    /// <summary>Seconds that a write to SQLite waits for another process's write: less than <see cref="CallTimeout"/>, so that the reason is told.</summary>
    private const int BusySeconds = 10;

    public JournalProvider Provider { get; private init; }

    /// <summary>With the password, where it has one: for the database's driver only.</summary>
    internal string ConnectionString { get; private init; } = "";

    public JournalSynchronous Synchronous { get; init; }

    /// <summary>A journal that cannot be read or written for so long ends its runs; until then they are tried again.</summary>
    public TimeSpan GiveUpAfter { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Who asks a run to stop does not wait longer than this for a journal that is away.</summary>
    public TimeSpan StopWithin { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Pause before a run whose journal failed is tried again; doubled with each failure in a row, up to the maximum.</summary>
    public TimeSpan Backoff { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan MaximumBackoff { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>A write or read without an answer for so long counts as failed.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Events between two snapshots of a run's state; a recovery reads at most about as many events.</summary>
    public int SnapshotEvery { get; init; } = 500;

    /// <summary>The journal of a runs folder: the SQLite file journal.db in it.</summary>
    public static JournalSettings InFolder(string runsFolder) => Sqlite(Path.Combine(runsFolder, "journal.db"));

    public static JournalSettings Sqlite(string file) => new()
    {
        Provider = JournalProvider.Sqlite,
        ConnectionString = new SqliteConnectionStringBuilder { DataSource = file, DefaultTimeout = BusySeconds }.ToString(),
    };

    /// <summary>The journal behind a provider's connection string, such as "Data Source=/data/journal.db" or "Host=db;Database=rlp;Username=rlp".</summary>
    /// <exception cref="ArgumentException">The provider does not understand the connection string; the message shows no value of it.</exception>
    public static JournalSettings Of(JournalProvider provider, string connectionString)
    {
        if (provider == JournalProvider.Sqlite)
        {
            var file = new SqliteConnectionStringBuilder(connectionString).DataSource;
            return file is "" or ":memory:"
                ? throw new ArgumentException("it names no file; expected 'Data Source=' and the path of one")
                : Sqlite(file);
        }
        var written = new DbConnectionStringBuilder { ConnectionString = connectionString };
        var builder = new NpgsqlConnectionStringBuilder(connectionString);
        if (string.IsNullOrEmpty(builder.Host))
            throw new ArgumentException("it names no host; expected such as 'Host=db.example;Database=rlp;Username=rlp' (the password may stand in PGPASSWORD or ~/.pgpass instead)");
        // A server that does not answer is to be noticed before the journal's own deadline passes.
        if (!written.ContainsKey("Timeout"))
            builder.Timeout = 5;
        if (!written.ContainsKey("Command Timeout") && !written.ContainsKey("CommandTimeout"))
            builder.CommandTimeout = 15;
        if (string.IsNullOrEmpty(builder.ApplicationName))
            builder.ApplicationName = "rlp";
        return new JournalSettings { Provider = JournalProvider.PostgreSql, ConnectionString = builder.ToString() };
    }

    /// <summary>The connection string without its password, for files that others may read; what is none is left out altogether.</summary>
    public static string WithoutPassword(JournalProvider provider, string connectionString)
    {
        if (provider == JournalProvider.Sqlite || connectionString.Length == 0)
            return connectionString;
        try
        {
            var builder = new NpgsqlConnectionStringBuilder(connectionString);
            builder.Remove("Password");
            builder.Remove("SSL Password");
            return builder.ToString();
        }
        catch (ArgumentException)
        {
            return "";
        }
    }

    /// <summary>The database as messages name it: never with a password.</summary>
    public string Name
    {
        get
        {
            if (File is { } file)
                return file;
            var server = new NpgsqlConnectionStringBuilder(ConnectionString);
            var database = string.IsNullOrEmpty(server.Database) ? server.Username : server.Database;
            return $"PostgreSQL database '{database}' at {server.Host}:{server.Port} (user '{server.Username}')";
        }
    }

    /// <summary>SQLite's file; null for a server.</summary>
    public string? File => Provider == JournalProvider.Sqlite ? new SqliteConnectionStringBuilder(ConnectionString).DataSource : null;

    public override string ToString() => Name;

    /// <summary>The name under which linq2db knows the driver; the newest dialect it has serves every newer server.</summary>
    internal string LinqToDbProvider => Provider == JournalProvider.Sqlite ? ProviderName.SQLiteMS : ProviderName.PostgreSQL15;

    /// <summary>A connection that is not open yet, for reading beside a node.</summary>
    internal DbConnection Connection() => Provider == JournalProvider.Sqlite
        // Not read-only: a reader of a write-ahead log writes its own mark into the -shm file.
        ? new SqliteConnection(new SqliteConnectionStringBuilder(ConnectionString) { Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ToString())
        : new NpgsqlConnection(ConnectionString);

    /// <summary>
    /// Makes sure that the journal can be opened, so that a mistake is told before a node starts. SQLite's file is made with a write-ahead
    /// log, which lets others read it while a run writes; the mode stays with the file.
    /// </summary>
    /// <exception cref="JournalUnavailableException">The database cannot be opened or written.</exception>
    public void Prepare()
    {
        try
        {
            if (File is { } file)
                PrepareFile(file);
            else
            {
                using var connection = Connection();
                connection.Open();
            }
        }
        catch (Exception e) when (JournalFailure.IsOfDatabase(e) || e is UnauthorizedAccessException)
        {
            throw new JournalUnavailableException($"the journal {Name} cannot be opened: {JournalFailure.Reason(e)}. {JournalFailure.Remedy(e)}", e);
        }
    }

    private void PrepareFile(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        using var connection = new SqliteConnection(ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode = WAL";
        if (command.ExecuteScalar() as string != "wal")
            throw new IOException("it does not take a write-ahead log; put it on a local disk");
    }
}
