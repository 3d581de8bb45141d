using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Replies;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;

namespace Rlp.Benchmarks;

/// <summary>
/// What the actor system costs: the same steps of one stage through the node (messages, journal, supervision) and through the bare loop, in
/// turns. A step's time is the wall time from the end of the first step to the end of the last, divided by the steps between.
/// </summary>
internal static class ActorPath
{
    public static Command Command()
    {
        var recipe = new Option<string>("--recipe") { DefaultValueFactory = _ => "hocon/recipes/arithmetic.hocon", Description = "Recipe whose stages are measured." };
        var steps = new Option<int>("--steps") { DefaultValueFactory = _ => 40, Description = "Steps of one measurement." };
        var repeats = new Option<int>("--repeats") { DefaultValueFactory = _ => 5, Description = "Measurements of each way, in turns." };
        var command = new Command("actor-path", "The actor path's cost over the bare loop, per stage, as a ratio of step times.") { recipe, steps, repeats };
        command.SetAction(async (arguments, _) =>
        {
            Console.WriteLine($"{"stage",-10}{"bare ms",10}{"actors ms",11}{"ratio",8}  (medians of {arguments.GetValue(repeats)}; ratios of pairs from min to max)");
            foreach (var stage in new[] { "pretrain", "rlp" })
                await MeasureAsync(Single(arguments.GetValue(recipe)!, stage, arguments.GetValue(steps)), arguments.GetValue(repeats));
        });
        return command;
    }

    /// <summary>The recipe's stage alone, from random weights, without evaluations and without a checkpoint before its end.</summary>
    private static Recipe Single(string path, string stage, int steps) => RecipeFile.Load(path,
    [
        $"stages=[{stage}]", $"{stage}.from=\"\"", $"{stage}.steps={steps}", $"{stage}.checkpoint-every={steps}", $"{stage}.evaluate-every=0", "compare.corpus=\"\"",
    ]).Recipe;

    private static async Task MeasureAsync(Recipe recipe, int repeats)
    {
        List<double> bare = [], actors = [], ratios = [];
        for (var i = 0; i <= repeats; i++)
        {
            var (b, a) = (Bare(recipe), await ActorsAsync(recipe));
            if (i == 0) continue; // warm-up
            bare.Add(b);
            actors.Add(a);
            ratios.Add(a / b);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{recipe.Stages[0].Id,-10}{Median(bare),10:F1}{Median(actors),11:F1}{Median(ratios),8:F3}  {ratios.Min():F3} to {ratios.Max():F3}"));
    }

    private static double Bare(Recipe recipe)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        var stage = recipe.Stages[0];
        using (var loop = new BareLoop(new TorchEngineFactory(), new StageContext("bare", recipe, stage, folder.FullName, Environment.ProcessorCount, new NodeWeights())))
        {
            loop.Next();
            var started = Stopwatch.GetTimestamp();
            while (loop.Step < stage.Steps) loop.Next();
            folder.Delete(recursive: true);
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds / (stage.Steps - 1);
        }
    }

    private static async Task<double> ActorsAsync(Recipe recipe)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddRlpNode(new NodeOptions { RunsFolder = folder.FullName, Engines = new TorchEngineFactory() });
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

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
