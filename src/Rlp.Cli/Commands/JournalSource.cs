using System.CommandLine;
using Rlp.Actors.Journals;
using Rlp.Cli.Configuration;

namespace Rlp.Cli.Commands;

/// <summary>The options that say which journal a command reads, and what they say.</summary>
internal sealed class JournalSource
{
    private readonly Option<string?> runs = CommonOptions.Runs();

    private readonly Option<string?> config = new("--config")
    {
        Description = "A recipe or node file: its sections 'journal' and 'runs' say where the journal is. Default: journal.db in the folder of the runs.",
    };

    private readonly Option<string[]> set = new("--set")
    {
        Description = "Overrides one key: --set journal.provider=postgresql. May be repeated.",
    };

    /// <param name="command">Gets the options.</param>
    /// <param name="withSet">False where the command has a --set of its own.</param>
    public void AddTo(Command command, bool withSet = true)
    {
        command.Options.Add(runs);
        command.Options.Add(config);
        if (withSet) command.Options.Add(set);
    }

    /// <summary>Where the journal is, and the folder that holds the runs' folders; for a node that writes it.</summary>
    /// <exception cref="ConfigurationException">The file or an override is wrong.</exception>
    public (JournalSettings Journal, string RunsFolder) SettingsOf(ParseResult arguments)
    {
        var node = RecipeFile.LoadNode(arguments.GetValue(config), arguments.GetValue(set) ?? []);
        var folder = Path.GetFullPath(arguments.GetValue(runs) ?? node.Runs);
        return (node.JournalOf(folder), folder);
    }

    /// <summary>The journal, and the folder that holds the runs' folders.</summary>
    /// <exception cref="ConfigurationException">The file or an override is wrong.</exception>
    public (RunJournal Journal, string RunsFolder) Of(ParseResult arguments)
    {
        var (settings, folder) = SettingsOf(arguments);
        return (new RunJournal(settings), folder);
    }

    /// <summary>The refusal of a run that the journal does not hold; names those that it holds.</summary>
    public static ConfigurationException NoSuchRun(RunJournal journal, string runId)
    {
        var known = journal.RunIds();
        return new ConfigurationException(
        [
            new ConfigurationProblem(journal.Name, null, runId,
                $"there is no run '{runId}'; "
                    + (known.Count == 0 ? "the journal holds none (are --runs and --config right?)" : $"the runs are {string.Join(", ", known.Take(20))}")),
        ]);
    }
}
