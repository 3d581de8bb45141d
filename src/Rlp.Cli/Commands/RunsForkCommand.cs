using System.CommandLine;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Actors.Replays;
using Rlp.Actors.Runs;
using Rlp.Cli.Configuration;
using Rlp.Cli.Runs;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Runs;
using Rlp.Training.Metrics;

namespace Rlp.Cli.Commands;

/// <summary>rlp runs fork RUN: a new run that shares another one's past up to a step.</summary>
internal static class RunsForkCommand
{
    public static Command Create()
    {
        var run = RunsCommand.RunArgument();
        var step = new Option<long>("--at-step") { Description = "The last step that both runs share; 0 begins the stage anew.", Required = true };
        var stage = new Option<string?>("--stage") { Description = "The step's stage. Default: the one that was begun last." };
        var runId = new Option<string>("--run-id") { Description = "Name of the new run.", Required = true };
        var set = new Option<string[]>("--set") { Description = "Changes one key from the next step on: --set rlp.steps=400. May be repeated." };
        var recipe = new Option<string?>("--recipe") { Description = "The recipe that RUN was created with. Default: recipe.hocon in its folder." };
        var source = new JournalSource();
        var json = CommonOptions.Json("One JSON object.");
        var command = new Command("fork", "Starts a new run from the state of another one after a step.\n\n"
            + "Examples:\n"
            + "  rlp runs fork arithmetic-1 --at-step 100 --run-id longer --set rlp.steps=400\n"
            + "  rlp runs fork arithmetic-1 --stage rlp --at-step 0 --run-id again --set rlp.group-size=32\n\n"
            + "Takes the checkpoint of that step, or executes the steps since the one before it again and compares them with the journal. The new run has a folder and\n"
            + "checkpoints of its own, and a journal that begins with the steps the two share; it is left paused, and the command that continues it is printed.\n"
            + "RUN is only read: it may be going on. Keys that decided anything of the past are refused. " + ExitCodes.Explanation)
        {
            run, step, stage, runId, set, recipe, json,
        };
        source.AddTo(command, withSet: false);
        command.SetAction((arguments, _) => FailureReport.Guard(() => Fork(new ForkRequest(
            arguments.GetValue(run)!, arguments.GetValue(step), arguments.GetValue(stage), arguments.GetValue(runId)!, arguments.GetValue(set) ?? [],
            arguments.GetValue(recipe), source.SettingsOf(arguments), arguments.GetValue(json)))));
        return command;
    }

    private sealed record ForkRequest(string Run, long Step, string? Stage, string RunId, string[] Set, string? Recipe, (JournalSettings Journal, string RunsFolder) Source, bool Json);

    private static async Task<int> Fork(ForkRequest request)
    {
        RunClient.RequireRunId(request.RunId);
        var (events, state) = RunsCommand.Find(new RunJournal(request.Source.Journal), request.Run);
        var folder = Path.Combine(request.Source.RunsFolder, request.Run);
        var stage = Stage(state, request);
        var loaded = Recipe(request, state, folder, stage);
        var options = NodeSettingsMapping.ToOptions(loaded.Node, request.Source.RunsFolder) with { Journal = request.Source.Journal };
        NativeLibrary.Load();

        var plan = RunPlans.Of(loaded.Recipe);
        using var forked = ForkFolder.Begin(options.RunsFolder, request.RunId);
        try
        {
            using var line = new ProgressLine();
            var source = new RunReplay(options.Engines, events, folder);
            forked.TakeOver(source, folder, stage, plan);
            if (request.Step > 0)
                forked.Reach(
                    source, folder, stage, request.Step,
                    notice =>
                    {
                        line.Clear();
                        Console.Error.WriteLine($"rlp: {notice}");
                    },
                    step => line.Show(() => $"stage {stage}: step {step.Journaled.Applied.Step} of {request.Step} executed again"));
        }
        catch (ReplayImpossibleException e)
        {
            await Console.Error.WriteLineAsync($"rlp: cannot fork: {e.Message}");
            return ExitCodes.BadData;
        }
        forked.Finish();
        try
        {
            AtomicFile.Write(Path.Combine(options.RunFolder(request.RunId), RunsCommand.RecipeName), stream => stream.Write(Encoding.UTF8.GetBytes(loaded.CanonicalText)));
            await Journal(options, new ForkRun
            {
                RunId = request.RunId,
                FromRunId = request.Run,
                Stage = stage,
                Step = request.Step,
                RecipeJson = loaded.Recipe.ToJson(),
                RecipeSha256 = loaded.Recipe.Digest,
                Plan = plan,
                Checkpoints = [.. forked.Checkpoints],
            });
        }
        catch (Exception) when (new RunJournal(options.Journal).Events(request.RunId).Count == 0)
        {
            forked.Discard();
            throw;
        }
        Report(request, stage, options.RunFolder(request.RunId));
        return ExitCodes.Done;
    }

    private static async Task Journal(NodeOptions options, ForkRun fork)
    {
        using var host = NodeHost.Build(options);
        await host.StartAsync();
        try
        {
            await host.Services.GetRequiredService<RunClient>().ForkAsync(fork);
        }
        finally
        {
            await host.StopAsync();
        }
    }

    private static void Report(ForkRequest request, string stage, string folder)
    {
        var recipe = Path.GetRelativePath(Environment.CurrentDirectory, Path.Combine(folder, RunsCommand.RecipeName));
        var next = $"rlp train {recipe} --run-id {request.RunId}" + (request.Source.RunsFolder == Path.GetFullPath(new NodeSettings().Runs) ? "" : $" --runs {request.Source.RunsFolder}");
        if (request.Json)
            Console.WriteLine(JsonSerializer.Serialize(new { request.RunId, From = request.Run, Stage = stage, request.Step, Folder = folder, Continue = next }, RunView.Json));
        else
            Console.WriteLine($"run '{request.RunId}' shares the past of '{request.Run}' up to step {request.Step} of stage {stage}, and is paused. Continue it:\n  {next}");
    }

    private static string Stage(RunState state, ForkRequest request)
    {
        var stage = RecipeReader.StageId(request.Stage ?? state.Stage?.Plan.Id ?? "");
        var applied = stage == state.Stage?.Plan.Id ? state.Stage.Applied : state.CompletedStages.Contains(stage) ? state.Plan.Stages.First(s => s.Id == stage).Steps : -1;
        if (request.Step >= 0 && request.Step <= applied) return stage;
        throw Refused("--at-step", applied < 0
            ? $"run '{request.Run}' has not begun a stage '{stage}'; its stages are {string.Join(", ", state.Plan.Stages.Select(s => s.Id))}"
            : $"run '{request.Run}' has applied {applied} steps of stage '{stage}', so there is no state after step {request.Step}");
    }

    /// <summary>The recipe of the source with what is set over it, which may not change the past.</summary>
    private static LoadedRecipe Recipe(ForkRequest request, RunState state, string folder, string stage)
    {
        var path = request.Recipe ?? Path.Combine(folder, RunsCommand.RecipeName);
        if (!File.Exists(path)) throw Refused(path, $"the recipe of run '{request.Run}' is not there; name the file it was started with: --recipe FILE");
        var original = RecipeFile.Load(path, []);
        if (original.Recipe.Digest != state.RecipeSha256)
            throw Refused(path, $"it is not the recipe that run '{request.Run}' was created with (digest {original.Recipe.Digest}, the journal says {state.RecipeSha256})");
        var loaded = RecipeFile.Load(path, request.Set);
        ForkChanges.Check(original, loaded, stage, request.Step);
        return loaded;
    }

    private static ConfigurationException Refused(string where, string message) => new([new ConfigurationProblem(where, null, "", message)]);
}
