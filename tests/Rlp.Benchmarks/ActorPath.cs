using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
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
    public static Recipe Single(string path, string stage, int steps, params IReadOnlyList<string> changes) => RecipeFile.Load(path,
    [
        $"stages=[{stage}]", $"{stage}.from=\"\"", $"{stage}.steps={steps}", $"{stage}.checkpoint-every={steps}", $"{stage}.evaluate-every=0",
        "compare.corpus=\"\"", .. changes,
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

    /// <summary>The tests' smallest RLP steps, of four lanes.</summary>
    public static readonly string[] Tiny =
    [
        "model.hidden-size=32", "model.intermediate-size=64", "model.layers=2", "model.attention-heads=2", "model.key-value-heads=1",
        "model.head-dim=16", "rlp.batch-size=8", "rlp.group-size=4", "rlp.lanes=4", "rlp.max-thought-tokens=8",
    ];

    /// <summary>Milliseconds of a step of the recipe's one stage through a node.</summary>
    public static async Task<double> ActorsAsync(Recipe recipe, int threads, MonitoredNode? monitored = null)
    {
        var steps = await StepsAsync(recipe, threads, monitored: monitored);
        return Stopwatch.GetElapsedTime(steps[0].At, steps[^1].At).TotalMilliseconds / (steps.Count - 1);
    }

    /// <summary>When each step of the recipe's one stage through a node ended, and what its parts took.</summary>
    /// <param name="journal">Null: a file of the run's own.</param>
    /// <param name="monitored">Null: nobody looks at the node.</param>
    public static async Task<IReadOnlyList<(long At, StepTimings Timings)>> StepsAsync(
        Recipe recipe, int threads, JournalSettings? journal = null, MonitoredNode? monitored = null)
    {
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        var options = new NodeOptions
        {
            RunsFolder = folder.FullName,
            Engines = new TorchEngineFactory(),
            Threads = threads,
            HttpPort = monitored is null ? null : 0,
        };
        builder.Services.AddRlpNode(journal is null ? options : options with { Journal = journal }, monitored?.AddTo(builder.Services));
        using var host = builder.Build();
        monitored?.Use(host.Services);
        await host.StartAsync();
        using var scraped = monitored?.Scrape(host.Services.GetRequiredService<NodeAddress>().Http!);
        var run = await host.Services.GetRequiredService<RunClient>().StartAsync($"actors-{Guid.NewGuid():n}", recipe);
        List<(long At, StepTimings Timings)> steps = [];
        await foreach (var progress in run.Progress.ReadAllAsync())
        {
            monitored?.Take(progress);
            if (progress is StepProgress step) steps.Add((Stopwatch.GetTimestamp(), step.Timings));
        }
        await host.StopAsync();
        folder.Delete(recursive: true);
        return steps;
    }
}
