using Rlp.Actors.Journals;

namespace Rlp.Cli.Tests.Configuration;

/// <summary>One key chooses the database of the journal; a password in another stays there.</summary>
public sealed class JournalKeysTests
{
    private const string Postgres = RecipeText.Least + "journal { provider = postgresql, connection-string = \"Host=db;Database=rlp;Username=me;Password=geheim\" }\n";

    [Fact]
    public void Postgresql_is_chosen_by_its_key()
    {
        var node = RecipeText.Load(Postgres).Node;
        Assert.Equal((JournalProvider.PostgreSql, "PostgreSQL database 'rlp' at db:5432 (user 'me')"), (node.Journal!.Provider, node.Journal.Name));
    }

    [Fact]
    public void The_default_is_a_file_in_the_folder_of_the_runs()
    {
        var journal = RecipeText.Load(RecipeText.Least + "journal.give-up-after = 5m\n").Node.JournalOf("/data/runs");
        Assert.Equal((JournalProvider.Sqlite, "/data/runs/journal.db", TimeSpan.FromMinutes(5)), (journal.Provider, journal.Name, journal.GiveUpAfter));
    }

    [Fact]
    public void A_password_is_not_in_the_text_that_is_kept_with_the_run_nor_in_that_of_the_settings()
    {
        var loaded = RecipeText.Load(Postgres);
        Assert.Contains("journal.connection-string = \"Host=db;Database=rlp;Username=me\"", loaded.CanonicalText);
        Assert.DoesNotContain("geheim", loaded.CanonicalText + loaded.Node);
    }

    [Theory]
    [InlineData("journal.provider = postgresql", "provider postgresql needs one")]
    [InlineData("journal { provider = postgresql, connection-string = \"Database=rlp;Password=geheim\" }", "it names no host")]
    [InlineData("journal { provider = postgresql, connection-string = [\"Host=db;Password=geheim\"] }", "expected a single value")]
    [InlineData("journal { provider = postgresql, connection-string = \"Host=db;Pasword=geheim\" }", "'journal.connection-string' cannot be used")]
    [InlineData("journal.give-up-after = 90", "with its unit")]
    [InlineData("journal.give-up-after = 0s", "a time from 1s to 30d")]
    public void A_mistake_is_refused_by_its_key_and_without_the_password(string text, string expected)
    {
        var problem = Assert.Single(RecipeText.Problems(RecipeText.Least + text));
        Assert.Contains(expected, problem);
        Assert.DoesNotContain("geheim", problem);
    }
}
