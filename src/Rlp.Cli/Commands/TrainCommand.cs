using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Cli.Configuration;
using Rlp.Cli.Runs;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Commands;

/// <summary>rlp train RECIPE: runs a recipe's stages on an embedded node, and resumes the run of the same id.</summary>
internal static class TrainCommand
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var recipe = new Argument<string>("RECIPE") { Description = "The recipe file (HOCON). hocon/rlp.hocon documents every key." };
        var runId = new Option<string?>("--run-id") { Description = "Name of the run; an existing one is continued. Default: RECIPE-SEED." };
        var seed = new Option<long?>("--seed") { Description = "Seed of weights, data order and sampling. Default: the recipe's." };
        var set = new Option<string[]>("--set") { Description = "Overrides one key: --set rlp.group-size=16. May be repeated." };
        var runs = CommonOptions.Runs();
        var every = new Option<double>("--log-interval") { Description = "Seconds between two printed step lines; 0 prints every step.", DefaultValueFactory = _ => 1.0 };
        var json = CommonOptions.Json("One JSON object per applied step, then the report.");
        var command = new Command("train", "Trains by a recipe: its stages in order, then their comparison.\n\n"
            + "Examples:\n"
            + "  rlp train hocon/recipes/arithmetic.hocon\n"
            + "  rlp train hocon/recipes/arithmetic.hocon --seed 2 --run-id second --set rlp.steps=100\n\n"
            + "Ctrl-C stops after a checkpoint; the same command resumes. " + ExitCodes.Explanation) { recipe, runId, seed, set, runs, every, json };
        command.SetAction((arguments, _) => FailureReport.Guard(() => Train(new TrainRequest(
            arguments.GetValue(recipe)!, arguments.GetValue(runId), arguments.GetValue(seed), arguments.GetValue(set) ?? [],
            arguments.GetValue(runs), arguments.GetValue(every), arguments.GetValue(json)))));
        return command;
    }

    private sealed record TrainRequest(string Recipe, string? RunId, long? Seed, string[] Set, string? Runs, double LogInterval, bool Json);

    private static async Task<int> Train(TrainRequest request)
    {
        string[] overrides = request.Seed is { } seed ? [.. request.Set, string.Create(CultureInfo.InvariantCulture, $"seed={seed}")] : request.Set;
        var loaded = RecipeFile.Load(request.Recipe, overrides);
        var options = NodeSettingsMapping.ToOptions(loaded.Node, request.Runs);
        var runId = request.RunId ?? string.Create(CultureInfo.InvariantCulture, $"{loaded.Recipe.Name}-{loaded.Recipe.Seed}");
        NativeLibrary.Load();

        using var host = NodeHost.Build(options);
        await host.StartAsync();
        try
        {
            var client = host.Services.GetRequiredService<RunClient>();
            var started = await client.StartAsync(runId, loaded.Recipe);
            var journal = new RunJournal(options.Journal);
            var folder = options.RunFolder(runId);
            using var display = RunDisplay.Create(request.Json, TimeSpan.FromSeconds(request.LogInterval));
            if (started.Accepted.AlreadyComplete)
            {
                display.Say($"run '{runId}' is complete; another --run-id or --seed starts a new one");
                RunResults.Show(RunResults.Write(journal, runId, folder, loaded.CanonicalText), folder, display);
                return ExitCodes.Done;
            }
            AtomicFile.Write(Path.Combine(folder, RunsCommand.RecipeName), stream => stream.Write(Encoding.UTF8.GetBytes(loaded.CanonicalText)));
            display.Begin(runId, loaded.Recipe, started.Accepted.Resumed, folder);
            return await Follow(client, runId, started, journal, folder, loaded.CanonicalText, display);
        }
        finally
        {
            await host.StopAsync();
        }
    }

    private static async Task<int> Follow(
        RunClient client, string runId, StartedRun started, RunJournal journal, string folder, string recipeText, RunDisplay display)
    {
        Task? stopping = null;
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var metrics = RunMetrics.Open(folder, journal.Events(runId));
        RunEnded? ended = null;
        await foreach (var progress in started.Progress.ReadAllAsync())
        {
            metrics.Record(progress);
            display.Show(progress);
            if (progress is RunEnded end) ended = end;
        }
        metrics.Flush();
        if (stopping is not null) await Task.WhenAny(stopping, Task.Delay(AnswerWithin)); // the answer follows the end of the progress at once
        switch (ended?.Status)
        {
            case RunStatus.Completed:
                RunResults.Show(RunResults.Write(journal, runId, folder, recipeText), folder, display);
                return ExitCodes.Done;
            case RunStatus.Paused:
                display.Say($"stopped after a checkpoint; the same command resumes run '{runId}'");
                return ExitCodes.Stopped;
            default:
                await Console.Error.WriteLineAsync($"rlp: run '{runId}' failed: {ended?.Message ?? "its progress ended without a reason"}");
                return FailureReport.CodeOf(ended?.Kind ?? Protocol.Payloads.FailureKind.Infrastructure);
        }

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true; // the process ends by itself when the checkpoint is durable
            if (stopping is not null) return;
            display.Say("stopping: finishing the current call and committing a checkpoint");
            stopping = client.StopAsync(runId, $"{signal.Signal} from the user");
        }
    }
}
