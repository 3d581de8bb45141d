using System.CommandLine;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlp.Actors.Journals;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Events;
using Rlp.Protocol.Serialization;

namespace Rlp.Cli.Commands;

/// <summary>rlp runs events RUN: the events of a run as they stand in the journal, one a line, as they are read.</summary>
internal static class RunsEventsCommand
{
    /// <summary>Long texts of an event (a recipe) are cut on a terminal's line; --json prints them whole.</summary>
    private const int LongestValue = 60;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The types of events by the names that users write: step-applied.</summary>
    private static readonly string[] Types =
        [.. MessageRegistry.Messages.Where(m => m.Type.IsAssignableTo(typeof(IRunEvent))).Select(m => TypeOf(m.Manifest)).Distinct()];

    public static Command Create()
    {
        var run = new Argument<string>("RUN") { Description = "Id of the run; 'rlp runs list' shows them." };
        var stage = new Option<string?>("--stage") { Description = "Only events of this stage." };
        var step = new Option<long?>("--step") { Description = "Only events of this step." };
        var type = new Option<string?>("--type") { Description = $"Only events of this type: {string.Join(", ", Types)}." };
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
            (Type is null || TypeOf(e.Manifest) == Type)
            && (Stage is null || Member(e.Event, nameof(StepApplied.Stage)) as string == Stage)
            && (Step is null || Member(e.Event, nameof(StepApplied.Step)) as long? == Step);
    }

    private static void Print(RunJournal journal, string runId, Filter filter, bool json)
    {
        if (filter.Type is { } type && !Types.Contains(type))
            throw new ConfigurationException(
            [
                new ConfigurationProblem("--type", null, type,
                    $"there is no event of type '{type}'{NearestName.Question(type, Types)}; the types are {string.Join(", ", Types)}"),
            ]);
        var (any, stages) = (false, new HashSet<string>());
        var found = false;
        foreach (var e in journal.Read(runId))
        {
            any = true;
            if (Member(e.Event, nameof(StepApplied.Stage)) is string stage)
                stages.Add(stage);
            if (!filter.Holds(e))
                continue;
            found = true;
            Console.WriteLine(json ? Line(e) : Text(e));
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

    private static string Line(JournaledEvent e)
    {
        var members = JsonSerializer.SerializeToElement(e.Event, e.Event.GetType(), Json).EnumerateObject().ToDictionary(m => m.Name, m => (object)m.Value);
        return JsonSerializer.Serialize(
            new Dictionary<string, object> { ["number"] = e.Number, ["at"] = e.At.ToString("O", CultureInfo.InvariantCulture), ["type"] = TypeOf(e.Manifest) }
                .Concat(members).ToDictionary(m => m.Key, m => m.Value), Json);
    }

    private static string Text(JournaledEvent e)
    {
        var members = JsonSerializer.SerializeToElement(e.Event, e.Event.GetType(), Json).EnumerateObject()
            .Where(m => m.Name != "run_id" && m.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Array or JsonValueKind.Object))
            .Select(m => $"{m.Name}={Short(m.Value.ToString())}");
        return string.Create(CultureInfo.InvariantCulture, $"{e.Number,6}  {e.At:yyyy-MM-dd HH:mm:ss.fff}  {TypeOf(e.Manifest),-20}  {string.Join(' ', members)}").TrimEnd();
    }

    private static string Short(string value) =>
        value.ReplaceLineEndings(" ") is { Length: > LongestValue } cut ? cut[..(LongestValue - 3)] + "..." : value.ReplaceLineEndings(" ");

    private static string TypeOf(string manifest) => manifest.Split('/')[0];

    private static object? Member(IRunEvent e, string name) => e.GetType().GetProperty(name, BindingFlags.Public | BindingFlags.Instance)?.GetValue(e);
}
