using Akka.Actor;
using Akka.Event;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

/// <summary>
/// The cluster's singleton that knows which runs exist. Holds nothing of its own: it reads the journal when it starts and hears of changes
/// from the run entities. Where the node is set to, it continues the runs that should be running, again and again: an entity that runs already
/// lets that pass, one that ended with its node, or because the database was away, goes on.
/// </summary>
internal sealed class RunRegistryActor : ReceiveActor, IWithTimers
{
    private sealed class Tick
    {
        public static readonly Tick Instance = new();
    }

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    public const string Name = "registry";

    private readonly NodeOptions options;
    private readonly Func<IActorRef> runs;
    private readonly Dictionary<string, RunReport> known = [];
    private readonly ILoggingAdapter log = Context.GetLogger();
    private bool journalRead;

    /// <summary>The region of the run entities is named late: it starts beside this singleton.</summary>
    public RunRegistryActor(NodeOptions options, Func<IActorRef> runs)
    {
        this.options = options;
        this.runs = runs;
        Receive<RunReport>(report => known[report.RunId] = report);
        Receive<ListRuns>(_ => Sender.Tell(new RunList { Runs = [.. known.Values.OrderBy(r => r.RunId, StringComparer.Ordinal)] }));
        Receive<RunAccepted>(accepted => log.Info("run '{0}' continues", accepted.RunId));
        Receive<Tick>(_ =>
        {
            if (!journalRead)
                ReadJournal();
            foreach (var run in known.Values.Where(r => r.Status == RunStatus.Running))
                runs().Tell(new ContinueRun { RunId = run.RunId, Environment = NodeEnvironment.Describe(options) });
        });
        Receive<RunRefused>(refused => log.Warning("run '{0}' cannot be continued: {1}", refused.RunId, refused.Message));
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        ReadJournal();
        if (options.ContinueRunning)
            Timers.StartPeriodicTimer(Tick.Instance, Tick.Instance, TimeSpan.Zero, Interval);
    }

    private void ReadJournal()
    {
        try
        {
            foreach (var (runId, state) in new RunJournal(options.Journal).Runs())
                known.TryAdd(runId, RunReport.Of(runId, state));
            journalRead = true;
        }
        catch (InvalidDataException e)
        {
            log.Warning("{0}; it is read again", e.Message);
        }
    }
}
