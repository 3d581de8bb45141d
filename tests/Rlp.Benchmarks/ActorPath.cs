using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Replies;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Benchmarks;

/// <summary>
/// What the actor system costs: the same steps of one stage through the node (messages, journal, supervision) and through the bare loop, in
/// turns. A step's time is the wall time from the end of the first step to the end of the last, divided by the steps between.
/// </summary>
internal static class ActorPath
{
    public static SectionReport Measure(BenchmarkSettings settings) => new("actor-path",
        [new FigureTable("Steps of hocon/recipes/arithmetic.hocon", [Measure("pretrain", settings), Measure("rlp", settings)])],
        ["the bare loop makes the same engine calls on one thread, without messages and without a journal"]);

    private static Figure Measure(string stage, BenchmarkSettings settings)
    {
        var recipe = Single(Path.Combine("hocon", "recipes", "arithmetic.hocon"), stage, settings.Quick ? 4 : 40);
        var measured = InTurns.Measure($"actor path, {stage}", settings.Repeats,
            () => ActorsAsync(recipe, settings.Threads).GetAwaiter().GetResult(),
            () => OwnThread.Run(settings.Threads, () => Bare(recipe, settings.Threads)));
        return Figure.Of($"step of {stage}, actor system", "ms", measured[0], "bare loop", measured[1]);
    }

    /// <summary>The recipe's stage alone, from random weights, without evaluations and without a checkpoint before its end.</summary>
    private static Recipe Single(string path, string stage, int steps) => RecipeFile.Load(path,
    [
        $"stages=[{stage}]", $"{stage}.from=\"\"", $"{stage}.steps={steps}", $"{stage}.checkpoint-every={steps}", $"{stage}.evaluate-every=0",
        "compare.corpus=\"\"",
    ]).Recipe;

    private static double Bare(Recipe recipe, int threads)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        var stage = recipe.Stages[0];
        var context = new StageContext("bare", recipe, stage, folder.FullName, threads, new NodeWeights());
        using (var loop = new BareLoop(new TorchEngineFactory(), context))
        {
            loop.Next();
            var started = Stopwatch.GetTimestamp();
            while (loop.Step < stage.Steps) loop.Next();
            folder.Delete(recursive: true);
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds / (stage.Steps - 1);
        }
    }

    /// <summary>Milliseconds of a step of the recipe's one stage through a node.</summary>
    public static async Task<double> ActorsAsync(Recipe recipe, int threads)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddRlpNode(new NodeOptions { RunsFolder = folder.FullName, Engines = new TorchEngineFactory(), Threads = threads });
        using var host = builder.Build();
        await host.StartAsync();
        var run = await host.Services.GetRequiredService<RunClient>().StartAsync("actors", recipe);
        long first = 0, last = 0;
        await foreach (var progress in run.Progress.ReadAllAsync())
        {
            if (progress is not StepProgress step) continue;
            last = Stopwatch.GetTimestamp();
            if (step.Applied.Step == 1) first = last;
        }
        await host.StopAsync();
        folder.Delete(recursive: true);
        return Stopwatch.GetElapsedTime(first, last).TotalMilliseconds / (recipe.Stages[0].Steps - 1);
    }
}
