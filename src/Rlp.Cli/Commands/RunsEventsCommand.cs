using System.CommandLine;
using System.Globalization;
using Rlp.Actors.Journals;
using Rlp.Cli.Configuration;
using Rlp.Consoles;
using Rlp.Protocol.Events;

namespace Rlp.Cli.Commands;

/// <summary>rlp runs events RUN: the events of a run as they stand in the journal, one a line, as they are read.</summary>
internal static class RunsEventsCommand
{
    public static Command Create()
    {
        var run = new Argument<string>("RUN") { Description = "Id of the run; 'rlp runs list' shows them." };
        var stage = new Option<string?>("--stage") { Description = "Only events of this stage." };
        var step = new Option<long?>("--step") { Description = "Only events of this step." };
        var type = new Option<string?>("--type") { Description = $"Only events of this type: {string.Join(", ", EventText.Types)}." };
        var json = CommonOptions.Json("One JSON object per event, with every member.");
        var source = new JournalSource();
        var command = new Command("events", "The events of a run in the order of its journal.\n\n"
            + "Examples:\n"
            + "  rlp runs events arithmetic-1\n"
            + "  rlp runs events arithmetic-1 --stage rlp --step 12\n"
            + "  rlp runs events arithmetic-1 --type checkpoint-committed --json\n"
            + "  rlp runs events arithmetic-1 --config hocon/cluster/node.hocon --type run-resumed") { run, stage, step, type, json };
        source.AddTo(command);
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            Print(
                source.Of(arguments).Journal,
                arguments.GetValue(run)!,
                new Filter(arguments.GetValue(stage), arguments.GetValue(step), arguments.GetValue(type)),
                arguments.GetValue(json));
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    private sealed record Filter(string? Stage, long? Step, string? Type)
    {
        public bool Holds(JournaledEvent e) =>
            (Type is null || EventText.TypeOf(e) == Type)
            && (Stage is null || EventText.StageOf(e) == Stage)
            && (Step is null || EventText.StepOf(e) == Step);
    }

    private static void Print(RunJournal journal, string runId, Filter filter, bool json)
    {
        if (filter.Type is { } type && !EventText.Types.Contains(type))
            throw new ConfigurationException(
            [
                new ConfigurationProblem("--type", null, type,
                    $"there is no event of type '{type}'{NearestName.Question(type, EventText.Types)}; the types are {string.Join(", ", EventText.Types)}"),
            ]);
        var (any, stages) = (false, new HashSet<string>());
        var found = false;
        foreach (var e in journal.Read(runId))
        {
            any = true;
            if (EventText.StageOf(e) is { } stage)
                stages.Add(stage);
            if (!filter.Holds(e))
                continue;
            found = true;
            Console.WriteLine(json ? EventText.Json(e) : Text(e));
        }
        if (!any)
            throw JournalSource.NoSuchRun(journal, runId);
        if (filter.Stage is { } wanted && !stages.Contains(wanted))
            throw new ConfigurationException(
            [
                new ConfigurationProblem("--stage", null, wanted,
                    $"run '{runId}' has no events of a stage '{wanted}'{NearestName.Question(wanted, stages)}; its stages are {string.Join(", ", stages)}"),
            ]);
        if (!found && !json)
            Console.Error.WriteLine($"no event of run '{runId}' is of that kind");
    }

    private static string Text(JournaledEvent e) =>
        string.Create(CultureInfo.InvariantCulture, $"{e.Number,6}  {e.At:yyyy-MM-dd HH:mm:ss.fff}  {EventText.TypeOf(e),-20}  {EventText.Members(e)}").TrimEnd();
}
