using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Akka.Actor;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Protocol.Replies;
using Rlp.Training.Engines.Torch;

namespace Rlp.Benchmarks;

/// <summary>
/// Whether heartbeats starve: the RLP stage of a recipe runs through the node on all cores, and an actor on each dispatcher ticks like a heartbeat.
/// A tick's lateness is the time since the last one beyond the interval, which is what another node's failure detector would see.
/// </summary>
internal static class Heartbeats
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private sealed record Row(string Load, string Dispatcher, int Ticks, double MedianMs, double P99Ms, double MaxMs);

    public static Command Command()
    {
        var recipe = new Option<string>("--recipe") { DefaultValueFactory = _ => "hocon/recipes/arithmetic.hocon", Description = "Recipe whose RLP stage is the load." };
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 60, Description = "Time under load; a sixth of it without." };
        var json = new Option<string?>("--json") { Description = "File for the rows as JSON.", HelpName = "FILE" };
        var command = new Command("heartbeats", "Lateness of a 100 ms tick on the dispatchers that heartbeats use, while the node trains on all cores.") { recipe, seconds, json };
        command.SetAction(async (arguments, _) =>
        {
            var rows = await MeasureAsync(arguments.GetValue(recipe)!, TimeSpan.FromSeconds(arguments.GetValue(seconds)));
            Console.WriteLine($"{"load",-10}{"dispatcher",-32}{"ticks",7}{"median ms",11}{"p99 ms",9}{"max ms",9}");
            foreach (var row in rows)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{row.Load,-10}{row.Dispatcher,-32}{row.Ticks,7}{row.MedianMs,11:F1}{row.P99Ms,9:F1}{row.MaxMs,9:F1}"));
            if (arguments.GetValue(json) is { } file) await File.WriteAllTextAsync(file, JsonSerializer.Serialize(rows, BenchmarkJson.Options));
        });
        return command;
    }

    private static async Task<IReadOnlyList<Row>> MeasureAsync(string path, TimeSpan time)
    {
        var recipe = RecipeFile.Load(path,
        [
            "stages=[rlp]", "rlp.from=\"\"", "rlp.steps=1000000", "rlp.checkpoint-every=1000000", "rlp.evaluate-every=0", "compare.corpus=\"\"",
        ]).Recipe;
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddRlpNode(new NodeOptions { RunsFolder = folder.FullName, Engines = new TorchEngineFactory() });
        using var host = builder.Build();
        await host.StartAsync();
        var system = host.Services.GetRequiredService<ActorSystem>();
        Console.WriteLine($"pause that the failure detector accepts: {system.Settings.Config.GetTimeSpan("akka.cluster.failure-detector.acceptable-heartbeat-pause").TotalMilliseconds:F0} ms");
        var rows = new List<Row>(await TicksAsync(system, "none", time / 6));

        var client = host.Services.GetRequiredService<RunClient>();
        var run = await client.StartAsync("load", recipe);
        var steps = 0;
        var progress = Task.Run(async () =>
        {
            await foreach (var message in run.Progress.ReadAllAsync())
                if (message is StepProgress) Interlocked.Increment(ref steps);
        });
        var began = Stopwatch.GetTimestamp();
        rows.AddRange(await TicksAsync(system, "training", time));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{steps} RLP steps in {Stopwatch.GetElapsedTime(began).TotalSeconds:F0} s under load"));
        await client.StopAsync("load", "measured");
        await progress;
        await host.StopAsync();
        folder.Delete(recursive: true);
        return rows;
    }

    private static async Task<IEnumerable<Row>> TicksAsync(ActorSystem system, string load, TimeSpan time)
    {
        string[] dispatchers = [Dispatchers.Cluster, Dispatchers.Remote, "akka.actor.default-dispatcher"];
        var tickers = dispatchers.Select(d => system.ActorOf(Props.Create(() => new Ticker()).WithDispatcher(d))).ToList();
        await Task.Delay(time);
        var rows = new List<Row>();
        foreach (var (ticker, dispatcher) in tickers.Zip(dispatchers))
        {
            var late = await ticker.Ask<double[]>("lateness", TimeSpan.FromMinutes(1));
            system.Stop(ticker);
            Array.Sort(late);
            rows.Add(new Row(load, dispatcher, late.Length, late[late.Length / 2], late[(int)(late.Length * 0.99)], late[^1]));
        }
        return rows;
    }

    private sealed class Ticker : ReceiveActor, IWithTimers
    {
        private readonly List<double> lateness = [];
        private long last;

        public Ticker()
        {
            Receive<Tick>(_ =>
            {
                var now = Stopwatch.GetTimestamp();
                if (last != 0) lateness.Add(Math.Max(0, (Stopwatch.GetElapsedTime(last, now) - Interval).TotalMilliseconds));
                last = now;
            });
            Receive<string>(_ => Sender.Tell(lateness.ToArray()));
        }

        public ITimerScheduler Timers { get; set; } = null!;

        protected override void PreStart() => Timers.StartPeriodicTimer(Tick.Instance, Tick.Instance, Interval);

        private sealed record Tick
        {
            public static Tick Instance { get; } = new();
        }
    }
}
