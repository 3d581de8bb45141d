using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Commands;

/// <summary>
/// rlp runs list | show | digests: what the journal says, also while another process writes it. verify and fork have files of their own.
/// </summary>
internal static class RunsCommand
{
    /// <summary>A run's recipe in its folder, as it was read; train and fork write it.</summary>
    internal const string RecipeName = "recipe.hocon";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create() => new("runs", "Looks at the runs of a folder.\n\nExamples:\n  rlp runs list\n  rlp runs show arithmetic-1\n  rlp runs digests arithmetic-1 --json\n  rlp runs verify arithmetic-1\n  rlp runs fork arithmetic-1 --at-step 100 --run-id longer --set rlp.steps=400")
    {
        List(), Show(), Digests(), RunsVerifyCommand.Create(), RunsForkCommand.Create(),
    };

    private static Command List()
    {
        var (runs, json) = (CommonOptions.Runs(), CommonOptions.Json("One JSON object per run."));
        var command = new Command("list", "Every run with its status and step.") { runs, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var all = new RunJournal(NodeSettingsMapping.JournalOf(arguments.GetValue(runs))).Runs();
            if (arguments.GetValue(json))
            {
                foreach (var (_, state) in all) Console.WriteLine(JsonSerializer.Serialize(Summary(state), Json));
                return Task.FromResult(ExitCodes.Done);
            }
            if (all.Count == 0) Console.WriteLine("no runs; 'rlp train RECIPE' starts one");
            else Print(["run", "recipe", "seed", "status", "stage", "step", "created"], all.Select(run => Summary(run.State)).Select(s => new[]
            {
                s.Run, s.Recipe, s.Seed.ToString(CultureInfo.InvariantCulture), s.Status, s.Stage ?? "-", s.Stage is null ? "-" : $"{s.Step}/{s.Steps}", s.Created,
            }));
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    private static Command Show()
    {
        var run = RunArgument();
        var (runs, json) = (CommonOptions.Runs(), CommonOptions.Json("One JSON object."));
        var command = new Command("show", "One run: status, stages, checkpoints, comparison.") { run, runs, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var (events, state, runFolder) = Find(arguments.GetValue(runs), arguments.GetValue(run)!);
            var steps = events.OfType<StepApplied>().ToLookup(e => e.Stage);
            var compared = events.OfType<StageEvaluated>().Where(e => e.Compared).DistinctBy(e => e.Stage).ToList();
            bool Kept(WireCheckpoint checkpoint) => Directory.Exists(Path.Combine(runFolder, checkpoint.Path)); // the journal's paths begin at the run's folder
            if (arguments.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(new
                {
                    Summary = Summary(state),
                    state.RecipeSha256,
                    state.Environment.Threads,
                    Machine = state.Environment.MachineKind,
                    state.Environment.Versions,
                    state.Lineage,
                    Failure = state.Status == RunStatus.Failed ? state.FailureMessage : null,
                    Stages = state.Plan.Stages.Select(s => new
                    {
                        s.Id,
                        Step = steps[s.Id].Count(),
                        s.Steps,
                        Completed = state.CompletedStages.Contains(s.Id),
                        Seconds = steps[s.Id].Sum(e => e.Seconds),
                        InputTokens = steps[s.Id].Sum(e => e.InputTokens),
                        Flops = steps[s.Id].Sum(e => e.Flops),
                        Loss = steps[s.Id].LastOrDefault()?.Loss,
                        RewardMean = steps[s.Id].LastOrDefault()?.RewardMean,
                    }),
                    Checkpoints = state.Checkpoints.Select(c => new { c.Stage, c.Step, c.Path, c.Sha256, Kept = Kept(c) }),
                    Compared = compared.ToDictionary(e => e.Stage, e => new { e.Result.ThinkAccuracy, e.Result.NothinkAccuracy, e.Result.ThoughtLength }),
                }, new JsonSerializerOptions(Json) { WriteIndented = true }));
                return Task.FromResult(ExitCodes.Done);
            }
            var summary = Summary(state);
            Console.WriteLine($"run      {summary.Run}");
            Console.WriteLine($"recipe   {summary.Recipe}, seed {summary.Seed}, digest {state.RecipeSha256[..12]}");
            Console.WriteLine($"status   {summary.Status}{(state.Status == RunStatus.Failed ? ": " + state.FailureMessage : "")}");
            Console.WriteLine($"created  {summary.Created} on {state.Environment.MachineKind}, {state.Environment.Threads} threads");
            if (state.Lineage is { } lineage)
                Console.WriteLine($"forked   from '{lineage.RunId}' after step {lineage.Step} of stage {lineage.Stage}"
                    + (lineage.ParametersSha256.Length > 0 ? $", parameters {lineage.ParametersSha256[..12]}" : ""));
            Console.WriteLine();
            Print(["stage", "steps", "loss", "info gain", "input tok", "seconds", "checkpoint"], state.Plan.Stages.Select(s => new[]
            {
                s.Id,
                $"{steps[s.Id].Count()}/{s.Steps}",
                Number(steps[s.Id].LastOrDefault()?.Loss, "F4"),
                Number(steps[s.Id].LastOrDefault()?.RewardMean, "F3"),
                steps[s.Id].Sum(e => e.InputTokens).ToString(CultureInfo.InvariantCulture),
                Number(steps[s.Id].Sum(e => e.Seconds), "F1"),
                state.Checkpoints.FindLast(c => c.Stage == s.Id && Kept(c)) is { } c ? $"step {c.Step}" : "-",
            }));
            if (compared.Count > 0)
            {
                Console.WriteLine();
                Print(["compared", "thinking", "not thinking", "thought (tok)"], compared.Select(e => new[]
                {
                    Evaluation.StageReport.TitleOf(e.Stage), Number(e.Result.ThinkAccuracy, "F3"), Number(e.Result.NothinkAccuracy, "F3"), Number(e.Result.ThoughtLength, "F1"),
                }));
            }
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    private static Command Digests()
    {
        var run = RunArgument();
        var (runs, json) = (CommonOptions.Runs(), CommonOptions.Json("One JSON object per applied step."));
        var command = new Command("digests", "The digests of every applied step: equal runs print equal lines.") { run, runs, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var steps = Find(arguments.GetValue(runs), arguments.GetValue(run)!).Events.OfType<StepApplied>();
            if (arguments.GetValue(json))
            {
                foreach (var s in steps)
                    Console.WriteLine(JsonSerializer.Serialize(
                        new { s.Stage, s.Step, s.Loss, s.GradNorm, s.RewardMean, parameters_sha256 = s.ParametersSha256, thoughts_sha256 = s.ThoughtsSha256 }, Json));
                return Task.FromResult(ExitCodes.Done);
            }
            Print(["stage", "step", "loss", "grad norm", "reward", "parameters", "thoughts"], steps.Select(s => new[]
            {
                s.Stage, s.Step.ToString(CultureInfo.InvariantCulture), Number(s.Loss, "F5"), Number(s.GradNorm, "F4"), Number(s.RewardMean, "F4"),
                s.ParametersSha256[..12], s.ThoughtsSha256?[..12] ?? "-",
            }));
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    internal static Argument<string> RunArgument() => new("RUN") { Description = "Id of the run; 'rlp runs list' shows them." };

    /// <summary>A run's events, its state and its folder.</summary>
    internal static (IReadOnlyList<IRunEvent> Events, RunState State, string Folder) Find(string? runs, string runId)
    {
        var path = NodeSettingsMapping.JournalOf(runs);
        var journal = new RunJournal(path);
        var events = journal.Events(runId);
        if (events.Count > 0) return (events, events.Aggregate(RunState.Empty, (state, e) => state.Apply(e)), Path.Combine(Path.GetDirectoryName(path)!, runId));
        var known = journal.RunIds();
        throw new Configuration.ConfigurationException(
        [
            new Configuration.ConfigurationProblem(path, null, runId,
                $"there is no run '{runId}'; " + (known.Count == 0 ? "the folder has none (is --runs right?)" : $"the runs are {string.Join(", ", known.Take(20))}")),
        ]);
    }

    private sealed record RunSummary(string Run, string Recipe, long Seed, string Status, string? Stage, long Step, long Steps, string Created);

    private static RunSummary Summary(RunState state) => new(
        state.RunId, Recipe.FromJson(state.RecipeJson).Name, state.Seed, state.Status.ToString().ToLowerInvariant(),
        state.Stage?.Plan.Id, state.Stage?.Applied ?? 0, state.Stage?.Plan.Steps ?? 0,
        DateTimeOffset.FromUnixTimeMilliseconds(state.CreatedUnixMilliseconds).ToString("u", CultureInfo.InvariantCulture));

    private static string Number(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    /// <summary>Aligned columns; a table on a terminal would only cut them.</summary>
    private static void Print(string[] headers, IEnumerable<string[]> rows)
    {
        string[][] all = [headers, .. rows];
        var widths = Enumerable.Range(0, headers.Length).Select(c => all.Max(r => r[c].Length)).ToArray();
        foreach (var row in all) Console.WriteLine(string.Join("  ", row.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd());
    }
}
