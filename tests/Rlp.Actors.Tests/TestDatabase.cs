using System.Data.Common;
using Npgsql;
using Rlp.Actors.Journals;

namespace Rlp.Actors.Tests;

/// <summary>A journal of a test's own: a file, or a database on the PostgreSQL server that RLP_TEST_POSTGRES names.</summary>
internal sealed class TestDatabase : IDisposable
{
    public const string ServerVariable = "RLP_TEST_POSTGRES";

    private readonly string? database;

    private TestDatabase(JournalSettings journal, string? database)
    {
        Journal = journal;
        this.database = database;
    }

    public JournalSettings Journal { get; }

    /// <summary>The server's connection string; the test is skipped where there is none.</summary>
    public static string Server
    {
        get
        {
            var server = Environment.GetEnvironmentVariable(ServerVariable);
            Assert.SkipWhen(string.IsNullOrEmpty(server), $"{ServerVariable} names no PostgreSQL server; `.ci/postgres start FOLDER` starts one and prints what to set");
            return server!;
        }
    }

    /// <summary>A server that the test may crash; the test is skipped where PostgreSQL is not wanted or not there.</summary>
    public static PostgresServer OwnServer()
    {
        _ = Server;
        if (PostgresServer.Missing is { } reason) Assert.Skip(reason);
        return new PostgresServer();
    }

    public static TestDatabase Create(JournalProvider provider, string folder)
    {
        if (provider == JournalProvider.Sqlite)
            return new TestDatabase(JournalSettings.Sqlite(Path.Combine(folder, "journal.db")), null);
        var name = $"rlp_{Guid.NewGuid():n}";
        Execute(Server, $"CREATE DATABASE {name}");
        return new TestDatabase(JournalSettings.Of(provider, new NpgsqlConnectionStringBuilder(Server) { Database = name, MaxPoolSize = 10 }.ToString()), name);
    }

    /// <summary>Does something to the database beside the node.</summary>
    public int Execute(string sql, params (string Name, object Value)[] parameters)
    {
        using var connection = Journal.Connection();
        return Execute(connection, sql, parameters);
    }

    /// <summary>From now on every write of an event fails as it does when a disk is full, until <see cref="Accept"/>.</summary>
    public void Refuse()
    {
        if (database is null)
        {
            Execute("CREATE TRIGGER full_disk BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
            return;
        }
        Execute("CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$ LANGUAGE plpgsql");
        Execute("CREATE TRIGGER full_disk BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION full_disk()");
    }

    public void Accept() => Execute(database is null ? "DROP TRIGGER full_disk" : "DROP TRIGGER full_disk ON journal");

    public void Dispose()
    {
        if (database is null)
            return;
        NpgsqlConnection.ClearAllPools();
        Execute(Server, $"DROP DATABASE IF EXISTS {database} WITH (FORCE)");
    }

    private static void Execute(string server, string sql)
    {
        using var connection = new NpgsqlConnection(server);
        Execute(connection, sql);
    }

    private static int Execute(DbConnection connection, string sql, params (string Name, object Value)[] parameters)
    {
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }
        return command.ExecuteNonQuery();
    }
}
