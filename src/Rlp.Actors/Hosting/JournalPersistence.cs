using Akka.Hosting;
using Akka.Persistence.Sql.Config;
using LinqToDB;
using Rlp.Actors.Journals;

namespace Rlp.Actors.Hosting;

/// <summary>Akka.Persistence on the journal's database: events and snapshots. Tables are made when a node first starts.</summary>
internal static class JournalPersistence
{
    private const string Journal = "akka.persistence.journal.sql";
    private const string Snapshots = "akka.persistence.snapshot-store.sql";
    private const string Query = "akka.persistence.query.journal.sql";

    /// <summary>Adds the plugins. The connection string stays out of the system's configuration, which may be logged.</summary>
    public static AkkaConfigurationBuilder WithJournal(this AkkaConfigurationBuilder builder, JournalSettings settings)
    {
        var persistence = new MultiDataOptionsSetup();
        foreach (var plugin in (string[])[Journal, Snapshots, Query])
            persistence.AddDataOptions(plugin, Connection(settings));
        return builder.AddSetup(persistence);
    }

    /// <summary>
    /// A call that fails is not retried here: its run stops and is started again with a back-off of its own, from what the journal holds. The
    /// breaker only keeps calls from piling up, so it closes again soon.
    /// </summary>
    public static string Hocon(JournalSettings settings)
    {
        var plugin = $"provider-name = \"{settings.LinqToDbProvider}\", connection-string = \"\", auto-initialize = on";
        var breaker = $"circuit-breaker {{ max-failures = 10, call-timeout = {settings.CallTimeout.TotalMilliseconds}ms, reset-timeout = 2s }}";
        return $$"""
            akka.persistence {
              journal {
                plugin = "{{Journal}}"
                sql {
                  {{plugin}}
                  {{breaker}}
                  recovery-event-timeout = {{2 * settings.CallTimeout.TotalMilliseconds}}ms
                }
              }
              snapshot-store {
                plugin = "{{Snapshots}}"
                sql {
                  {{plugin}}
                  {{breaker}}
                }
              }
              query.journal.sql { {{plugin}} }
            }
            """;
    }

    private static DataOptions Connection(JournalSettings settings)
    {
        var options = new DataOptions().UseConnectionString(settings.LinqToDbProvider, settings.ConnectionString);
        if (settings.Provider != JournalProvider.Sqlite)
            return options;
        // synchronous is a property of a connection, which the connection string cannot carry.
        var pragma = $"PRAGMA synchronous = {settings.Synchronous.ToString().ToUpperInvariant()}";
        return options.UseAfterConnectionOpened(
            connection =>
            {
                using var command = connection.CreateCommand();
                command.CommandText = pragma;
                command.ExecuteNonQuery();
            },
            async (connection, cancellation) =>
            {
                await using var command = connection.CreateCommand();
                command.CommandText = pragma;
                await command.ExecuteNonQueryAsync(cancellation);
            });
    }
}
