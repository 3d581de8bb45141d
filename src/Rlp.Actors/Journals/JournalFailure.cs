using System.Data.Common;
using System.Net.Sockets;
using Akka.Pattern;
using Akka.Persistence;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Rlp.Actors.Journals;

/// <summary>The journal's database cannot be reached or refuses to work; the message names it without its password, and what to do.</summary>
public sealed class JournalUnavailableException(string message, Exception inner) : IOException(message, inner);

/// <summary>What an exception says about the journal: is its database at fault, or what stands in it?</summary>
internal static class JournalFailure
{
    /// <summary>
    /// True where the database, the way to it or its disk is at fault: the same call may succeed later. False where the content is (an event
    /// that cannot be read, a file that is no database): trying again changes nothing.
    /// </summary>
    public static bool IsOfDatabase(Exception exception) => Chain(exception).Select(e => e switch
    {
        SqliteException { SqliteErrorCode: 11 or 26 } => false, // SQLITE_CORRUPT, SQLITE_NOTADB
        InvalidDataException or ArgumentException => false, // whatever is inside: bytes that end too early are an IOException there
        DbException or SocketException or IOException or TimeoutException or OperationCanceledException => true,
        OpenCircuitException or RecoveryTimedOutException => true,
        _ => (bool?)null,
    }).FirstOrDefault(decided => decided is not null) ?? false;

    /// <summary>Whether a read found that nothing was ever written: the tables are made when a node first starts.</summary>
    public static bool IsMissingTable(DbException exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable }
        || (exception is SqliteException { SqliteErrorCode: 1 } && exception.Message.Contains("no such table", StringComparison.Ordinal));

    /// <summary>The cause at the root, on one line; drivers show no passwords in it.</summary>
    public static string Reason(Exception exception)
    {
        var cause = Chain(exception).OfType<DbException>().FirstOrDefault() ?? Chain(exception).Last();
        var text = cause is NpgsqlException { InnerException: { } inner } and not PostgresException ? $"{cause.Message}: {inner.Message}" : cause.Message;
        return text.ReplaceLineEndings(" ").TrimEnd('.', ' ');
    }

    /// <summary>What to do about it.</summary>
    public static string Remedy(Exception exception) => Chain(exception).OfType<DbException>().FirstOrDefault() switch
    {
        PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification } =>
            "Check user and password (journal.connection-string, PGPASSWORD or ~/.pgpass) and the server's pg_hba.conf",
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } => "Create that database, or name another one in journal.connection-string",
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } => "Grant that user the right to create and write tables there",
        PostgresException { SqlState: PostgresErrorCodes.DiskFull } or SqliteException { SqliteErrorCode: 13 } => "Free space on the journal's disk",
        SqliteException { SqliteErrorCode: 5 or 6 } => "Another program holds its lock: end that program",
        SqliteException => "Check the file's disk space and permissions",
        NpgsqlException => "Check that the server runs and can be reached from here",
        _ => "Check the database, the way to it and its disk space",
    };

    private static IEnumerable<Exception> Chain(Exception exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
            yield return e;
    }
}
