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
/// rlp runs list | show | digests: what the journal says, also while another process writes it. events, verify, fork and what needs a cluster have
/// files of their own.
/// </summary>
internal static class RunsCommand
{
    /// <summary>A run's recipe in its folder, as it was read; train and fork write it.</summary>
    internal const string RecipeName = "recipe.hocon";

    public static Command Create()
    {
        var command = new Command("runs", "Looks at runs, checks them and forks them.\n\nExamples:\n  rlp runs list\n  rlp runs show arithmetic-1\n  rlp runs digests arithmetic-1 --json\n"
            + "  rlp runs events arithmetic-1 --stage rlp --step 12\n  rlp runs verify arithmetic-1\n"
            + "  rlp runs fork arithmetic-1 --at-step 100 --run-id longer --set rlp.steps=400\n"
            + "  rlp runs list --config hocon/cluster/one.hocon\n  rlp runs show arithmetic-1 --to 127.0.0.1:7001\n  rlp runs pause arithmetic-1 --to 127.0.0.1:7001")
        {
            List(), Show(), Digests(), RunsEventsCommand.Create(), RunsVerifyCommand.Create(), RunsForkCommand.Create(),
        };
        foreach (var control in ClusterRuns.Controls()) command.Add(control);
        return command;
    }

    private static Command List()
    {
        var (source, json) = (new JournalSource(), CommonOptions.Json("One JSON object per run."));
        var command = new Command("list", "Every run with its status and step.") { json };
        source.AddTo(command);
        var (to, tokenFile) = (CommonOptions.To(), CommonOptions.TokenFile());
        command.Add(to);
        command.Add(tokenFile);
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            if (arguments.GetValue(to) is { } node && arguments.GetValue(tokenFile) is var token)
                return ClusterRuns.ListAsync(node, token, arguments.GetValue(json));
            var all = source.Of(arguments).Journal.Runs();
            if (arguments.GetValue(json))
            {
                foreach (var (_, state) in all) Console.WriteLine(JsonSerializer.Serialize(Summary(state), RunView.Json));
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
        var (source, json) = (new JournalSource(), CommonOptions.Json("One JSON object."));
        var command = new Command("show", "One run: status, stages, checkpoints, comparison.") { run, json };
        source.AddTo(command);
        var (to, tokenFile) = (CommonOptions.To(), CommonOptions.TokenFile());
        command.Add(to);
        command.Add(tokenFile);
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            if (arguments.GetValue(to) is { } node && arguments.GetValue(tokenFile) is var token)
                return ClusterRuns.ShowAsync(node, token, arguments.GetValue(run)!, arguments.GetValue(json));
            var (journal, runsFolder) = source.Of(arguments);
            var (events, state) = Find(journal, arguments.GetValue(run)!);
            var steps = events.OfType<StepApplied>().ToLookup(e => e.Stage);
            var compared = events.OfType<StageEvaluated>().Where(e => e.Compared).DistinctBy(e => e.Stage).ToList();
            var runFolder = Path.Combine(runsFolder, state.RunId);
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
                }, new JsonSerializerOptions(RunView.Json) { WriteIndented = true }));
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
        var (source, json) = (new JournalSource(), CommonOptions.Json("One JSON object per applied step."));
        var command = new Command("digests", "The digests of every applied step: equal runs print equal lines.") { run, json };
        source.AddTo(command);
        var (to, tokenFile) = (CommonOptions.To(), CommonOptions.TokenFile());
        command.Add(to);
        command.Add(tokenFile);
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            if (arguments.GetValue(to) is { } node && arguments.GetValue(tokenFile) is var token)
                return ClusterRuns.DigestsAsync(node, token, arguments.GetValue(run)!);
            var steps = Find(source.Of(arguments).Journal, arguments.GetValue(run)!).Events.OfType<StepApplied>();
            if (arguments.GetValue(json))
            {
                foreach (var s in steps)
                    Console.WriteLine(JsonSerializer.Serialize(StepDigest.Of(s), RunView.Json));
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

    /// <summary>A run's events and its state.</summary>
    internal static (IReadOnlyList<IRunEvent> Events, RunState State) Find(RunJournal journal, string runId)
    {
        var events = journal.Events(runId);
        return events.Count > 0 ? (events, events.Aggregate(RunState.Empty, (state, e) => state.Apply(e))) : throw JournalSource.NoSuchRun(journal, runId);
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
