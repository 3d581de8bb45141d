using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Pattern;
using Akka.Persistence;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Actors.Telemetry;
using Rlp.Protocol;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

// The run entity and its journal: recovery by snapshot and events, and what becomes of the run while the database is away.
internal sealed partial class TrainingRunActor
{
    /// <summary>Two, because the newest may be the one that a crash damaged.</summary>
    private const int SnapshotsKept = 2;

    private readonly JournalOutages outages = JournalOutages.Of(Context.System);
    private readonly HashSet<(IRunMessage Command, IActorRef Sender)> unanswered = [];
    private readonly Queue<long> snapshots = new();
    private long snapshotAt;
    private bool goingOn;
    private bool resuming;
    private int recovered;

    /// <summary>Sent by an incarnation to itself: the one before it was at work when the journal failed.</summary>
    private sealed class GoOn
    {
        public static readonly GoOn Instance = new();
    }

    private sealed record StepsRecalled(RunState State, Exception? Failure);

    /// <summary>Without the snapshot where it was found unreadable: the events hold everything.</summary>
    public override Recovery Recovery => outages.PassedOver(runId) is null ? Recovery.Default : new Recovery(SnapshotSelectionCriteria.None);

    private void RecoverFromJournal()
    {
        Recover<SnapshotOffer>(offer =>
        {
            state = offer.Snapshot is RunSnapshot snapshot
                ? snapshot.ToState()
                : throw new InvalidDataException($"the snapshot is a {offer.Snapshot?.GetType().Name ?? "null"}");
            snapshotAt = offer.Metadata.SequenceNr;
            snapshots.Enqueue(snapshotAt);
        });
        Recover<IRunEvent>(e =>
        {
            state = state.Apply(e);
            recovered++;
        });
        Recover<RecoveryCompleted>(_ =>
        {
            Recovered();
            ContinueByItself();
        });

        Command<GoOn>(_ => Resume());
        Command<StepsRecalled>(Recalled);
        Command<SaveSnapshotSuccess>(saved => DropOldSnapshots(saved.Metadata.SequenceNr));
        Command<SaveSnapshotFailure>(failure => log.Warning(
            "run '{0}': no snapshot at event {1}, a recovery reads more events: {2}", runId, failure.Metadata.SequenceNr, JournalFailure.Reason(failure.Cause)));
        Command<DeleteSnapshotsSuccess>(_ => { });
        Command<DeleteSnapshotsFailure>(failure => log.Warning("run '{0}': old snapshots stay: {1}", runId, JournalFailure.Reason(failure.Cause)));
    }

    private void Recovered()
    {
        options.OnRecovered?.Invoke(runId, recovered);
        if (outages.UseSnapshotsAgain(runId) is { } unreadable)
            Notice($"the run's snapshot in {options.Journal} cannot be used: {unreadable}; all {recovered} events were read instead, nothing is lost");
        SaveSnapshotIfDue();
        if (outages.Find(runId) is not { } outage)
            return;
        if (outage.Active)
        {
            goingOn = true;
            Self.Tell(GoOn.Instance);
        }
        if (!outage.Writing)
            OutageIsOver();
    }

    /// <summary>In a cluster a run that is to run does so wherever its entity comes to stand.</summary>
    private void ContinueByItself()
    {
        if (options.ContinueRunning && !goingOn && state.Status == RunStatus.Running)
            Self.Tell(new ContinueRun { RunId = runId, Environment = NodeEnvironment.Describe(options) });
    }

    // ---- snapshots ----

    private void SaveSnapshotIfDue()
    {
        if (LastSequenceNr - snapshotAt < options.Journal.SnapshotEvery)
            return;
        snapshotAt = LastSequenceNr;
        SaveSnapshot(RunSnapshot.Of(state));
    }

    private void DropOldSnapshots(long saved)
    {
        snapshots.Enqueue(saved);
        var drop = 0L;
        while (snapshots.Count > SnapshotsKept)
            drop = snapshots.Dequeue();
        if (drop > 0)
            DeleteSnapshots(new SnapshotSelectionCriteria(drop));
    }

    // ---- steps that the state does not keep ----

    private void RecallSteps()
    {
        var (journal, id, now) = (new RunJournal(options.Journal), runId, state);
        Task.Run(() => new StepsRecalled(now.WithAllSteps(journal.Read(id).Select(e => e.Event)), null))
            .PipeTo(Self, failure: e => new StepsRecalled(now, e));
    }

    private void Recalled(StepsRecalled recalled)
    {
        if (!active || ending || busy is not RunAction.RecallSteps)
            return;
        if (recalled.Failure is { } failure && !Retry("reading the journal's older steps", FailureKind.Infrastructure, failure.Message))
            return;
        state = recalled.State;
        busy = null;
        Advance();
    }

    // ---- a journal that fails ----

    protected override void OnPersistFailure(Exception cause, object @event, long sequenceNr)
    {
        base.OnPersistFailure(cause, @event, sequenceNr);
        if (JournalFailure.IsOfDatabase(cause))
            Retreat("written", cause, writing: true);
        else
            Abandon($"the journal {options.Journal} cannot be written: {JournalFailure.Reason(cause)}. What it holds is safe; repair the cause and start the same run again");
    }

    protected override void OnRecoveryFailure(Exception reason, object? message = null)
    {
        base.OnRecoveryFailure(reason, message);
        if (JournalFailure.IsOfDatabase(reason))
            Retreat("read", reason, writing: false);
        else if (outages.PassOverSnapshot(runId, JournalFailure.Reason(reason)))
        {
            Context.Parent.Tell(new Passivate(End.Instance)); // what comes while this incarnation ends is kept for the next one
            SendAgain(TimeSpan.Zero);
        }
        else
        {
            outages.UseSnapshotsAgain(runId);
            Abandon($"the journal {options.Journal} cannot be read: {JournalFailure.Reason(reason)}. Was it written by a newer version?");
        }
    }

    /// <summary>
    /// This incarnation ends, as it must: whether the last events were written is not known, and the next one reads what is there. Until the
    /// journal answers again, incarnations are tried with a growing pause; those who follow the run stay with it.
    /// </summary>
    private void Retreat(string what, Exception cause, bool writing)
    {
        NodeTelemetry.JournalFailures.Add(1);
        var outage = outages.Begin(runId);
        outage.Attempts++;
        outage.Writing = writing;
        outage.Active |= active;
        outage.Subscribers.Clear();
        outage.Subscribers.UnionWith(subscribers);
        if (cause is not OpenCircuitException || outage.Reason == "")
            outage.Reason = $"{JournalFailure.Reason(cause)}. {JournalFailure.Remedy(cause)}";
        var settings = options.Journal;
        var pause = TimeSpan.FromTicks((long)Math.Min(
            settings.Backoff.Ticks * Math.Pow(2, Math.Min(outage.Attempts - 1, 30)), settings.MaximumBackoff.Ticks));
        var stopping = Unanswered().Any(u => u.Command is StopRun);
        if (DateTimeOffset.UtcNow + pause - outage.Since > (stopping && settings.StopWithin < settings.GiveUpAfter ? settings.StopWithin : settings.GiveUpAfter))
        {
            outages.End(runId);
            Abandon($"the journal {settings} cannot be {what} since {outage.Since:u}, and the run {(stopping ? "was asked to stop" : "gave up (journal.give-up-after)")}: {outage.Reason}. "
                + "What it holds is safe; start the same run again when the database is back");
            return;
        }
        var notice = $"the journal {settings} cannot be {what}: {outage.Reason}; the run is tried again in {pause.TotalSeconds:0.#} s (since {outage.Since:u}, attempt {outage.Attempts})";
        log.Warning("run '{0}': {1}", runId, notice);
        var suspended = new RunNotice { RunId = runId, Message = notice, Suspended = true };
        Publish(suspended);
        foreach (var (_, sender) in Unanswered().Where(u => u.Command is StartRun && !subscribers.Contains(u.Sender)))
            sender.Tell(suspended);
        SendAgain(pause);
    }

    /// <summary>Has the region start the next incarnation after a pause, with everything that nobody answered.</summary>
    private void SendAgain(TimeSpan pause)
    {
        var region = ClusterSharding.Get(Context.System).ShardRegion(RlpNodeHosting.RunRegion);
        var scheduler = Context.System.Scheduler;
        scheduler.ScheduleTellOnce(pause, region, new GetRun { RunId = runId }, ActorRefs.NoSender);
        foreach (var (command, sender) in Unanswered())
            scheduler.ScheduleTellOnce(pause, region, command, sender);
    }

    private IEnumerable<(IRunMessage Command, IActorRef Sender)> Unanswered()
    {
        IEnumerable<(IRunMessage, IActorRef)> all = unanswered;
        if (starting is not null && !starter.IsNobody())
            all = all.Append((starting, starter));
        return all.Concat(stoppers.Select(s => ((IRunMessage)new StopRun { RunId = runId, Reason = execution.StopReason ?? "" }, s))).Distinct();
    }

    /// <summary>A command that is stashed while the journal is read or written would be lost with this incarnation.</summary>
    private void KeepUnanswered(object message)
    {
        if (message is not (StartRun or ContinueRun or StopRun or SubscribeProgress or GetRun) || Sender.IsNobody() || Sender.Equals(Context.System.DeadLetters))
            return;
        var entry = ((IRunMessage)message, Sender);
        if (IsRecovering || persisting)
            unanswered.Add(entry);
        else
            unanswered.Remove(entry);
    }

    /// <summary>Those who followed the incarnation before this one follow this one.</summary>
    private void ComeBack()
    {
        foreach (var subscriber in outages.Find(runId)?.Subscribers ?? [])
            subscribers.Add(Context.Watch(subscriber));
    }

    /// <summary>The run was at work when the journal failed.</summary>
    private void Resume()
    {
        goingOn = false;
        if (active || ending || starting is not null || state.Status == RunStatus.Absent)
            return;
        if (!Owned)
        {
            Abandon(lockRefusal);
            Leave();
        }
        else if (state.Status == RunStatus.Running)
        {
            resuming = true;
            Prepare(new ContinueRun { RunId = runId, Environment = NodeEnvironment.Describe(options) }, state.RecipeJson, ActorRefs.Nobody);
        }
        else
        {
            active = true; // its end was written, only the confirmation was lost: what is open is closed and everybody is told
            Advance();
        }
    }

    /// <summary>A run that is about to begin, or to go on after an outage, is stopped once it does: it does not stand still yet.</summary>
    private bool StopLater(StopRun command)
    {
        if (starting is null && !goingOn)
            return false;
        unanswered.Add((command, Sender));
        Stash.Stash();
        return true;
    }

    private void JournalWritten()
    {
        OutageIsOver();
        SaveSnapshotIfDue();
    }

    private void OutageIsOver()
    {
        if (outages.End(runId) is { } over)
            Notice($"the journal {options.Journal} answers again after {(DateTimeOffset.UtcNow - over.Since).TotalSeconds:0.#} s; the run goes on from what it holds");
    }
}
