using System.Runtime.CompilerServices;
using Akka.Actor;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Protocol.Events;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Tests;

/// <summary>A node in this process, as the command line starts one.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    private readonly IHost host;

    private TestNode(IHost host, NodeOptions options)
    {
        this.host = host;
        Options = options;
    }

    public NodeOptions Options { get; }

    public RunClient Runs => host.Services.GetRequiredService<RunClient>();

    public ActorSystem System => host.Services.GetRequiredService<ActorSystem>();

    public Address Address => Akka.Cluster.Cluster.Get(System).SelfAddress;

    internal NodeNetwork Network => host.Services.GetRequiredService<NodeNetwork>();

    public RunJournal Journal => new(Options.Journal);

    // Each host would watch its settings file; the machine's inotify instances are few.
    [ModuleInitializer]
    internal static void NoFileWatching() => Environment.SetEnvironmentVariable("DOTNET_HOSTBUILDER__RELOADCONFIGONCHANGE", "false");

    public static NodeOptions OptionsFor(string folder, IEngineFactory engines) => new()
    {
        RunsFolder = folder,
        Engines = engines,
        Threads = 1,
        Settings = RoundTripMailbox.Hocon,
        RestartBackoff = TimeSpan.FromMilliseconds(20),
        EngineDeadline = TimeSpan.FromSeconds(30),
    };

    public static async Task<TestNode> StartAsync(NodeOptions options)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddRlpNode(options);
        var host = builder.Build();
        await host.StartAsync();
        return new TestNode(host, options);
    }

    /// <summary>Runs to its end and gives the progress.</summary>
    public async Task<List<IRunProgress>> RunAsync(string runId, Recipe recipe)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        return await EndAsync(runId, await Runs.StartAsync(runId, recipe, limit.Token));
    }

    /// <summary>The rest of a started run's progress.</summary>
    public async Task<List<IRunProgress>> EndAsync(string runId, StartedRun started)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var progress = new List<IRunProgress>();
        try
        {
            await foreach (var message in started.Progress.ReadAllAsync(limit.Token))
                progress.Add(message);
            return progress;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException(await StandingAsync(runId, progress));
        }
    }

    /// <summary>The next notice that contains the text; the progress before it is passed over.</summary>
    public static async Task<string> NoticeAsync(StartedRun started, string text)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await foreach (var message in started.Progress.ReadAllAsync(limit.Token))
            if (message is RunNotice notice && notice.Message.Contains(text))
                return notice.Message;
        throw new InvalidOperationException($"the run ended without a notice that contains '{text}'");
    }

    /// <summary>Waits for something that other threads bring about.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> condition, string what)
    {
        for (var waited = 0; !await condition(); waited += 20)
        {
            Assert.True(waited < 30_000, $"did not come about: {what}");
            await Task.Delay(20);
        }
    }

    /// <summary>Where a run stands that should have ended: what a failed test needs to be understood.</summary>
    private async Task<string> StandingAsync(string runId, List<IRunProgress> progress)
    {
        var workers = await Task.WhenAll(Enum.GetValues<Role>().Select(role => Runs.WorkerAsync(role)));
        var log = File.Exists(Options.LogFile) ? File.ReadAllLines(Options.LogFile).TakeLast(20) : [];
        return $"{await Runs.ReportAsync(runId)}\n{string.Join("\n", workers.AsEnumerable())}\nlast events:\n{string.Join("\n", Journal.Events(runId).TakeLast(3))}"
            + $"\nlast progress:\n{string.Join("\n", progress.TakeLast(3))}\n{Options.LogFile}:\n{string.Join("\n", log)}";
    }

    /// <summary>With this setting the actor system ends without leaving the cluster and without handing over its entities.</summary>
    public const string NoCoordinatedShutdown = "\nakka.coordinated-shutdown.run-by-actor-system-terminate = off";

    /// <summary>
    /// For the thread of an engine call: every actor stops as it stands, nothing is flushed, nobody is told. Comes back once the call's worker
    /// takes no more messages, so that the call's answer reaches nobody.
    /// </summary>
    public void AbortDuringCallOf(string worker)
    {
        var front = (ActorRefWithCell)System.ActorSelection($"/user/node/{worker}").ResolveOne(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult();
        ((ExtendedActorSystem)System).Abort();
        Assert.True(SpinWait.SpinUntil(() => front.Underlying.ChildrenContainer.IsTerminating, TimeSpan.FromSeconds(30)), $"{front} goes on");
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
    }

    /// <summary>What must be equal between two executions of a run: everything but wall-clock figures.</summary>
    public static IReadOnlyList<string> Series(RunJournal journal, string runId) =>
        [.. journal.Events(runId).OfType<StepApplied>().Select(s => $"{s.Stage} {s.Step} v{s.PolicyVersion} {s.Loss:R} {s.GradNorm:R} {s.RewardMean:R} {s.ParametersSha256} {s.ThoughtsSha256} {s.InputTokens}")];

    /// <summary>The series of an uninterrupted run.</summary>
    public static async Task<IReadOnlyList<string>> Uninterrupted(string folder, Recipe recipe, FakeEngines? engines = null)
    {
        await using var node = await StartAsync(OptionsFor(folder, engines ?? new FakeEngines()));
        var progress = await node.RunAsync("whole", recipe);
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        return Series(node.Journal, "whole");
    }
}
