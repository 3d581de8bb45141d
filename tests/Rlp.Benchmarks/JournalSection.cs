using Rlp.Actors.Journals;
using Rlp.Actors.Tests;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;
using Rlp.Training.Recipes;

namespace Rlp.Benchmarks;

/// <summary>What a step's journaling takes of the step, with the journal in a file and in a PostgreSQL server of the section's own.</summary>
internal static class JournalSection
{
    public static SectionReport Measure(BenchmarkSettings settings)
    {
        using var server = PostgresServer.Missing is null ? new PostgresServer() : null;
        var postgres = server is null ? null : JournalSettings.Of(JournalProvider.PostgreSql, server.ConnectionString);
        var arithmetic = Path.Combine("hocon", "recipes", "arithmetic.hocon");
        var steps = settings.Quick ? 4 : 40;
        return new SectionReport("journal",
        [
            new FigureTable("A step of hocon/recipes/arithmetic.hocon's stage rlp",
                [.. Measure("32 groups of 8, one lane", ActorPath.Single(arithmetic, "rlp", steps), postgres, settings)]),
            new FigureTable("A tiny step: 8 groups of 4 thoughts of 8 tokens, 2 layers of width 32, four lanes",
                [.. Measure("8 groups of 4, four lanes", ActorPath.Single(arithmetic, "rlp", 5 * steps, ActorPath.Tiny), postgres, settings)]),
        ],
        [
            "journaling is the sum over a step's writes of the time from handing events over to their being durable: time/journal_s beside time/step_s "
                + "in metrics.jsonl; the first step is not in it",
            "all of it counts, also what is written of one lane while the next is sampled: an upper bound of what the step waits",
            .. postgres is null ? [$"PostgreSQL is missing: {PostgresServer.Missing}"] : Array.Empty<string>(),
        ]);
    }

    private static IEnumerable<Figure> Measure(string what, Recipe recipe, JournalSettings? postgres, BenchmarkSettings settings)
    {
        (string Name, JournalSettings? Journal)[] journals = postgres is null ? [("SQLite", null)] : [("SQLite", null), ("PostgreSQL", postgres)];
        var seconds = journals.Select(_ => new List<double>()).ToArray();
        var measured = InTurns.Measure($"journal, {what}", settings.Repeats, [.. journals.Select((journal, i) => (Func<double>)(() =>
        {
            var timed = ActorPath.StepsAsync(recipe, settings.Threads, journal.Journal).GetAwaiter().GetResult().Skip(1).Select(s => s.Timings).ToArray();
            seconds[i].Add(1e3 * timed.Average(t => t.Total));
            return 1e3 * timed.Average(t => t.Journal);
        }))]);
        return journals.Select((journal, i) => Figure
            .Of($"journaling to {journal.Name}, {what}", "ms", measured[i], "the step", [.. seconds[i].Skip(1)]) // without the warm-up
            .WithRatio(Goal.AtMost, 0.03));
    }
}
