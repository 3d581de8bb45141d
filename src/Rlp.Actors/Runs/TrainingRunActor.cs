using System.Diagnostics;
using System.Text.Json;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Akka.Event;
using Akka.Persistence;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Actors.Nodes;
using Rlp.Actors.Serialization;
using Rlp.Actors.Telemetry;
using Rlp.Actors.Workers;
using Rlp.Models;
using Rlp.Protocol;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Thoughts;

namespace Rlp.Actors.Runs;

/// <summary>
/// The run entity. Decides nothing itself: <see cref="RunDecisions"/> says what is next from the journaled state and what this process holds;
/// the entity journals, sends, and waits for one answer at a time. Beside that, data of later steps are loaded, and where the recipe allows a
/// staleness later steps are planned and their lanes sampled and scored. It acts only on what is durable.
/// </summary>
internal sealed partial class TrainingRunActor : ReceivePersistentActor, IWithTimers
{
    /// <summary>What the shard sends to end an entity that asked for it.</summary>
    internal sealed class End
    {
        public static readonly End Instance = new();
    }

    private sealed class Watch
    {
        public static readonly Watch Instance = new();
    }

    private sealed class CloseTimeout
    {
        public static readonly CloseTimeout Instance = new();
    }

    /// <summary>Those who read weights close before the one that owns them: an engine at work must not lose what it reads.</summary>
    private static readonly Role[][] ClosingOrder = [[Role.Data, Role.Rollout, Role.Reward], [Role.Ema], [Role.Learner]];

    private static readonly TimeSpan CloseWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan IdleFor = TimeSpan.FromSeconds(60);

    private readonly string runId;
    private readonly NodeOptions options;
    private readonly IActorRef lanes;
    private readonly IActorRef registry;
    private readonly string runFolder;
    private readonly RunCheckpoints checkpoints;
    private readonly Cluster cluster = Cluster.Get(Context.System);
    private readonly RunSeats seats;
    private readonly HashSet<Address> leased = [];

    /// <summary>Nodes that have been up since this entity began, or came up after that.</summary>
    private readonly HashSet<UniqueAddress> met;
    private readonly ILoggingAdapter log = Context.GetLogger();
    private readonly LargeMessages large = new(Context);
    private readonly HashSet<IActorRef> subscribers = [];
    private readonly List<IActorRef> stoppers = [];
    private readonly Dictionary<long, EngineCall> calls = [];
    private readonly Dictionary<(long Step, int Lane), LaneWork> laneWork = [];
    private readonly Dictionary<string, int> failures = [];

    private RunState state = RunState.Empty;
    private Execution execution = Execution.Nothing;
    private RunLock? runLock;
    private string lockRefusal = "";
    private IRunMessage? starting;
    private IActorRef starter = ActorRefs.Nobody;
    private AcquireLease lease = new();
    private Role? unseated;
    private bool active;
    private bool ending;
    private bool leaving;
    private bool adopting;
    private string lastEvent = "";
    private readonly RecoveryClock recovery = new();
    private readonly StepTraces traces;
    private IActorRef? thoughtWriter;
    private readonly Dictionary<UniqueAddress, long> heard = [];
    private readonly List<(EngineCall Call, EngineDescribed Found)> found = [];
    private RunAction? busy;
    private bool announceOpen;
    private WireCursor? prefetching;
    private bool persisting;
    private int closed;
    private CheckpointStage checkpointing;
    private long nextRequestId = Random.Shared.NextInt64(long.MaxValue / 2);
    private int nextAttempt = Random.Shared.Next(int.MaxValue / 2); // no other incarnation's
    private long duplicates;
    private long refused;
    private StepTimings timings = new();
    private long stepStarted = Stopwatch.GetTimestamp();
    private long phaseStarted;

    private enum CheckpointStage
    {
        None,
        Learner,
        Teacher,
        Seal,
    }

    public TrainingRunActor(string runId, NodeOptions options, IActorRef lanes, IActorRef registry)
    {
        this.runId = runId;
        this.options = options;
        this.lanes = lanes;
        this.registry = registry;
        runFolder = options.RunFolder(runId);
        checkpoints = new RunCheckpoints(runFolder);
        seats = new RunSeats(runId, Context.System);
        traces = new StepTraces(runId);
        met = [.. cluster.State.Members.Where(m => m.Status == MemberStatus.Up).Select(m => m.UniqueAddress)];

        RecoverFromJournal();

        Command<StartRun>(Start);
        Command<ContinueRun>(Continue);
        Command<StopRun>(Stop);
        Command<ForkRun>(Fork);
        Command<LeaseGranted>(TakeLease);
        Command<LeaseRefused>(RefuseLease);
        Command<LeaseRevoked>(revoked => MakeWay(revoked.Node));
        Command<LaneStarted>(TakeStart);
        Command<ClusterEvent.MemberRemoved>(removed => LoseNode(removed.Member));
        Command<ClusterEvent.MemberUp>(up =>
        {
            if (met.Add(up.Member.UniqueAddress) && active && !ending)
                Note(new NodeJoined
                {
                    RunId = runId,
                    Node = ClusterNodes.NameOf(up.Member),
                    Roles = [.. Enum.GetValues<Role>().Where(up.Member.Has).Select(WorkerActor.NameOf)],
                    AtUnixMilliseconds = Now,
                });
            SeatWaiting();
        });
        Command<ClusterEvent.IMemberEvent>(_ => SeatWaiting());
        Command<ClusterEvent.ReachableMember>(_ => SeatWaiting());
        Command<ClusterEvent.UnreachableMember>(unreachable => FallSilent(unreachable.Member));
        Command<SubscribeProgress>(_ =>
        {
            if (ending)
            {
                Stash.Stash();
                return;
            }
            subscribers.Add(Context.Watch(Sender));
            Sender.Tell(Report());
        });
        Command<GetRun>(_ => Sender.Tell(Report()));
        Command<LaneCompleted>(TakeLane);
        Command<LaneFailed>(LoseLane);
        Command<ClusterEvent.CurrentClusterState>(_ => { });
        Command<EngineFailed>(Lose);
        Command<IEngineReply>(Take);
        Command<MessagePart>(part =>
        {
            if (large.Take(part, Sender) is { } whole)
                ReceiveCommand(whole);
        });
        Command<PartTaken>(large.GoOn);
        Command<LargeMessages.DropLost>(_ => large.Drop());
        Command<ThoughtWriterActor.NotKept>(lost => Notice(lost.Message));
        Command<Watch>(_ => NameWhatIsStuck());
        Command<WriteAgain>(_ => TryToWrite());
        Command<CloseTimeout>(_ =>
        {
            foreach (var role in ClosingOrder.Skip(closed + 1).SelectMany(roles => roles))
                foreach (var holder in seats.Reachable(role))
                    seats.Worker(role, holder).Tell(new CloseEngine { RunId = runId }, Self);
            Ended();
        });
        Command<Terminated>(t =>
        {
            subscribers.Remove(t.ActorRef);
            SendElsewhere(t.ActorRef);
        });
        Command<ReceiveTimeout>(_ =>
        {
            if (!active && starting is null && subscribers.Count == 0)
                Leave();
        });
        Command<End>(_ => Context.Stop(Self));
    }

    public override string PersistenceId => PersistenceIdOf(runId);

    public ITimerScheduler Timers { get; set; } = null!;

    public static string PersistenceIdOf(string runId) => $"run-{runId}";

    protected override void PreStart()
    {
        // Before recovery: what is recovered under the lock is the newest there is.
        if (!Clustered && Directory.Exists(runFolder))
            (runLock, lockRefusal) = RunLock.TryAcquire(runFolder);
        Context.SetReceiveTimeout(IdleFor);
        cluster.Subscribe(
            Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));
        ComeBack();
        base.PreStart();
    }

    protected override void PostStop()
    {
        cluster.Unsubscribe(Self);
        traces.Abandon();
        runLock?.Dispose();
        base.PostStop();
    }

    /// <summary>An exception in this entity is a defect or a broken disk: it is named to those who wait, and the journal stays as it is.</summary>
    protected override bool AroundReceive(Receive receive, object message)
    {
        if (leaving && message is not End)
        {
            if (message is StartRun or ContinueRun or ForkRun or StopRun or SubscribeProgress or GetRun)
                Context.Parent.Forward(message); // the shard keeps it for the next incarnation
            return true;
        }
        KeepUnanswered(message);
        try
        {
            return base.AroundReceive(receive, message);
        }
        catch (Exception exception) when (!IsRecovering)
        {
            log.Error(exception, "run '{0}' stops at {1}", runId, message.GetType().Name);
            Abandon($"the run's actor stopped: {exception.Message}. What the journal holds is safe; start the same run again to continue ({options.LogFile} has the details)");
            Leave();
            return true;
        }
    }

    protected override void OnPersistRejected(Exception cause, object @event, long sequenceNr)
    {
        base.OnPersistRejected(cause, @event, sequenceNr);
        throw new InvalidOperationException($"the journal refused {@event.GetType().Name}: {cause.Message}", cause);
    }

    // ---- commands ----

    private void Start(StartRun command)
    {
        var reply = Sender;
        if (ending)
        {
            Stash.Stash();
            return;
        }
        if (starting is not null)
        {
            reply.Tell(Refusal(FailureKind.Configuration, $"run '{runId}' is starting just now; try again"));
            return;
        }
        if (!Owned && lockRefusal == "")
            (runLock, lockRefusal) = RunLock.TryAcquire(runFolder);
        if (!Owned)
        {
            reply.Tell(Refusal(FailureKind.Infrastructure, lockRefusal));
            Leave(); // recovered without the lock: the next attempt recovers anew
            return;
        }
        if (state.Status == RunStatus.Cancelled)
        {
            reply.Tell(Refusal(FailureKind.Configuration, $"run '{runId}' was cancelled and cannot go on. Choose another run id (--run-id), or fork it"));
            return;
        }
        if (state.Status != RunStatus.Absent && (state.RecipeSha256, state.Seed) != (command.RecipeSha256, command.Seed))
        {
            reply.Tell(Refusal(
                FailureKind.Configuration,
                $"run '{runId}' was created with the recipe {state.RecipeSha256} and seed {state.Seed}, not with {command.RecipeSha256} and seed {command.Seed}. "
                    + "Choose another run id (--run-id) for the changed recipe, or start this one with the recipe it was created with"));
            return;
        }
        Prepare(command, command.RecipeJson, reply);
    }

    private void Continue(ContinueRun command)
    {
        if (ending)
        {
            Stash.Stash();
            return;
        }
        if (active || starting is not null)
        {
            Sender.Tell(new RunAccepted { RunId = runId, Resumed = true });
            return;
        }
        if (state.Status is RunStatus.Completed or RunStatus.Cancelled)
        {
            Sender.Tell(Refusal(FailureKind.Configuration, $"run '{runId}' is {state.Status.ToString().ToLowerInvariant()}; there is nothing to continue"));
            Leave();
            return;
        }
        if (state.Status == RunStatus.Absent || !Owned)
        {
            Sender.Tell(Refusal(FailureKind.Configuration, lockRefusal != "" ? lockRefusal : $"run '{runId}' has nothing to continue"));
            return;
        }
        Prepare(command, state.RecipeJson, Sender);
    }

    /// <summary>Writes a new run's past. It is left paused: who continues it starts it with its recipe.</summary>
    private void Fork(ForkRun command)
    {
        if (state.Status != RunStatus.Absent || starting is not null)
        {
            Sender.Tell(Refusal(FailureKind.Configuration, $"run '{runId}' exists; choose another run id for the fork"));
            return;
        }
        if (!Owned && lockRefusal == "")
            (runLock, lockRefusal) = RunLock.TryAcquire(runFolder);
        if (!Owned)
        {
            Sender.Tell(Refusal(FailureKind.Infrastructure, lockRefusal));
            Leave();
            return;
        }
        IReadOnlyList<IRunEvent> events;
        try
        {
            var source = new RunJournal(options.Journal).Events(command.FromRunId);
            events = RunForks.Events(source, command, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidDataException)
        {
            Sender.Tell(Refusal(FailureKind.Data, e.Message));
            Leave();
            return;
        }
        var reply = Sender;
        Persist(events, () =>
        {
            TellRegistry();
            reply.Tell(new RunAccepted { RunId = runId });
            Leave();
        });
    }

    private void Prepare(IRunMessage command, string recipeJson, IActorRef reply)
    {
        if (active || state.Status == RunStatus.Completed)
        {
            if (active && command is StartRun)
                subscribers.Add(Context.Watch(reply));
            reply.Tell(new RunAccepted { RunId = runId, Resumed = active, AlreadyComplete = state.Status == RunStatus.Completed });
            return;
        }
        (starting, starter) = (command, reply);
        try
        {
            var memory = options.Engines.Memory(Recipe.FromJson(recipeJson)).Peak;
            lease = new AcquireLease
            {
                RunId = runId,
                MemoryBytes = memory.ToDictionary(p => p.Name, p => p.Bytes),
                Remedy = memory.MaxBy(p => p.Bytes)!.Remedy,
            };
            if (seats.Take(Role.Learner) is { } seat)
                seats.Supervisor(seat).Tell(lease, Self);
            else
                Begin(); // and wait for a node that learns
        }
        catch (Exception e) when (e is ArgumentException or JsonException or ModelFormatException)
        {
            Refuse(FailureKind.Configuration, $"the recipe of run '{runId}' cannot be used: {e.Message}");
        }
    }

    private void Begin()
    {
        if (starting is not { } command)
            return;
        var environment = command switch { StartRun s => s.Environment, ContinueRun c => c.Environment, _ => new RunEnvironment() };
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        IRunEvent first = state.Status == RunStatus.Absent && command is StartRun start
            ? new RunCreated
            {
                RunId = runId,
                RecipeJson = start.RecipeJson,
                RecipeSha256 = start.RecipeSha256,
                Seed = start.Seed,
                CreatedUnixMilliseconds = now,
                Environment = environment,
                Plan = start.Plan,
            }
            : new RunResumed
            {
                RunId = runId,
                After = state.Status switch { RunStatus.Paused => "paused", RunStatus.Failed => "failed", _ => "interrupted" },
                AtUnixMilliseconds = now,
                Environment = environment,
            };
        var resumed = first is RunResumed;
        if (first is RunResumed { After: "interrupted" })
            recovery.Lost("the run's entity, or its process", Math.Max(0, now - state.Recovery.LastUnixMilliseconds) / 1000.0);
        Persist([first], () =>
        {
            if (command is StartRun)
                subscribers.Add(Context.Watch(starter));
            starter.Tell(new RunAccepted { RunId = runId, Resumed = resumed });
            (starting, starter) = (null, ActorRefs.Nobody);
            active = true;
            foreach (var what in (string[])["retry", "slow"])
                NodeTelemetry.Troubles.Add(0, new("run", runId), new("what", what));
            execution = Execution.Nothing;
            failures.Clear();
            Context.SetReceiveTimeout(null);
            var interval = TimeSpan.FromTicks(Math.Max(TimeSpan.FromMilliseconds(50).Ticks, Math.Min(TimeSpan.FromSeconds(4).Ticks, Math.Min(options.WarnAfter.Ticks, options.EngineDeadline.Ticks)) / 4));
            Timers.StartPeriodicTimer(Watch.Instance, Watch.Instance, interval);
            TellRegistry();
            foreach (var notice in checkpoints.ClearUnfinished())
                Notice(notice);
            Stash.UnstashAll(); // see StopLater
            if (resumed && Clustered)
                FindEngines();
            else
                Advance();
        });
    }

    private void Refuse(FailureKind kind, string message)
    {
        starter.Tell(Refusal(kind, message));
        if (resuming)
            Publish(new RunEnded { RunId = runId, Status = RunStatus.Failed, Kind = kind, Message = message });
        (starting, starter) = (null, ActorRefs.Nobody);
        Leave();
    }

    private RunRefused Refusal(FailureKind kind, string message) => new() { RunId = runId, Kind = kind, Message = message };

    private void Stop(StopRun command)
    {
        if (!active && !ending)
        {
            if (StopLater(command))
                return;
            var asker = Sender;
            if (command.Cancel && state.Status is RunStatus.Paused or RunStatus.Failed or RunStatus.Running && Owned)
                Persist([new RunCancelled { RunId = runId, Reason = command.Reason }], () =>
                {
                    TellRegistry();
                    asker.Tell(Stopped());
                });
            else
                asker.Tell(Stopped());
            return;
        }
        stoppers.Add(Sender);
        if (ending)
            return;
        execution = execution with { StopReason = command.Reason, Cancelled = command.Cancel };
        TryToWrite();
        Advance();
    }

    // ---- what is next ----

    private void Advance()
    {
        while (active && !ending && !adopting && busy is null)
        {
            var action = RunDecisions.Next(state, execution);
            if (announceOpen && execution is { Stage: not null, StopReason: null } && action is not (RunAction.Open or RunAction.SwitchEngines))
                AnnounceOpen();
            phaseStarted = Stopwatch.GetTimestamp();
            busy = action;
            switch (action)
            {
                case RunAction.Wait:
                    Finish();
                    return;
                case RunAction.Journal journal:
                    Persist(journal.Events, Journaled);
                    return;
                case RunAction.SwitchEngines change:
                    SwitchEngines(change);
                    break;
                case RunAction.Open open:
                    OpenEngineOf(open.Role);
                    break;
                case RunAction.RecallSteps:
                    RecallSteps();
                    break;
                case RunAction.Load load:
                    if (prefetching != load.From)
                        Ask(Role.Data, id => new LoadData { RunId = runId, RequestId = id, From = load.From });
                    break;
                case RunAction.ExecuteLanes execute:
                    SendLanes(execute);
                    break;
                case RunAction.Learn learn:
                    Learn(learn.Step);
                    break;
                case RunAction.UpdateTeacher update:
                    Ask(Role.Ema, id => new UpdateTeacher
                    {
                        RunId = runId,
                        RequestId = id,
                        Step = update.Step,
                        Policy = execution.Newest(Execution.Policy),
                        TraceParent = traces.ParentOf(execution.Stage!, update.Step),
                    });
                    break;
                case RunAction.FinishStep:
                    FinishStep();
                    break;
                case RunAction.CommitCheckpoint commit:
                    checkpointing = CheckpointStage.Learner;
                    Ask(Role.Learner, id => new WriteCheckpoint { RunId = runId, RequestId = id, Folder = TemporaryFolder(commit.Step) });
                    break;
                case RunAction.Evaluate evaluate:
                    Ask(Role.Rollout, id => new EvaluatePolicy { RunId = runId, RequestId = id, Problems = evaluate.Problems, Policy = execution.Newest(Execution.Policy) });
                    break;
                case RunAction.GiveUp giveUp:
                    Fail(giveUp.Kind, giveUp.Message);
                    return;
                default:
                    throw new InvalidOperationException($"no way to do {action.GetType().Name}");
            }
            GoAhead();
        }
    }

    /// <summary>Begins what may be done beside the action in work and is not being done.</summary>
    private void GoAhead()
    {
        if (!active || ending || persisting || execution.Stage is null)
            return;
        foreach (var action in RunDecisions.Ahead(state, execution))
            switch (action)
            {
                case RunAction.ExecuteLanes execute:
                    SendLanes(execute);
                    break;
                case RunAction.Journal journal:
                    Persist(journal.Events, GoAhead);
                    return;
                case RunAction.Load load when prefetching is null && load.From != (busy as RunAction.Load)?.From:
                    prefetching = load.From;
                    Ask(Role.Data, id => new LoadData { RunId = runId, RequestId = id, From = load.From });
                    break;
            }
    }

    private void Ask(Role role, Func<long, IEngineRequest> request) => Ask(role, seats.Take(role) ?? cluster.SelfMember, request);

    private void Ask(Role role, Member node, Func<long, IEngineRequest> request)
    {
        var call = new EngineCall(role, node, request(++nextRequestId));
        calls.Add(nextRequestId, call);
        large.Tell(seats.Worker(role, node), call.Request);
    }

    /// <summary>Hands events to the journal; the continuation runs when all of them are durable and applied.</summary>
    private void Persist(IReadOnlyList<IRunEvent> events, Action then)
    {
        options.OnJournal?.Invoke(events, false);
        persisting = true;
        var (started, since) = (Stopwatch.GetTimestamp(), DateTimeOffset.UtcNow);
        var left = events.Count;
        PersistAll(events, e =>
        {
            state = state.Apply(e);
            if (--left > 0)
                return;
            persisting = false;
            lastEvent = $"{events[^1].GetType().Name} at {DateTimeOffset.UtcNow:u}";
            JournalWritten();
            options.OnJournal?.Invoke(events, true);
            FailPoint.ReachDurable(events);
            timings = timings with { Journal = timings.Journal + Seconds(started) };
            NodeTelemetry.JournalSeconds.Record(Seconds(started));
            traces.Journaled(events, since);
            then();
        });
    }

    private void Journaled()
    {
        var events = ((RunAction.Journal)busy!).Events;
        busy = null;
        foreach (var e in events)
        {
            if (e is StageCompleted completed)
            {
                Prune(completed.Stage, keep: 1);
                Publish(new StageProgress { RunId = runId, Completed = completed });
            }
            if (e is StageStarted or StageCompleted)
                TellRegistry();
        }
        Advance();
    }

    private void Unusable(WireCheckpoint checkpoint, string defect)
    {
        execution = execution with { Unusable = execution.Unusable.Add(checkpoint.Path) };
        Notice($"the checkpoint of stage '{checkpoint.Stage}' step {checkpoint.Step} cannot be used: {defect}; the run falls back to the one before it");
    }

    private void SwitchEngines(RunAction.SwitchEngines change)
    {
        calls.Clear();
        laneWork.Clear();
        traces.Abandon();
        prefetching = null;
        announceOpen = true;
        var own = !change.Comparing && change.Checkpoint?.Stage == change.Stage;
        execution = execution.WithoutEngines() with
        {
            Stage = change.Stage,
            Comparing = change.Comparing,
            Checkpoint = checkpoints.Absolute(change.Checkpoint),
            Opening = Random.Shared.NextInt64(1, long.MaxValue),
            EngineStep = own ? change.Checkpoint!.Step : 0,
        };
        CloseAll();
    }

    private void CloseAll()
    {
        closed = 0;
        CloseNext();
    }

    /// <summary>On every node that may have one, whoever opened it.</summary>
    private void CloseNext()
    {
        foreach (var role in ClosingOrder[closed])
            foreach (var holder in seats.Reachable(role).ToArray())
                Ask(role, holder, id => new CloseEngine { RunId = runId, RequestId = id });
        CloseRest();
    }

    private void CloseRest()
    {
        if (calls.Values.Any(c => c.Request is CloseEngine))
            return;
        if (++closed < ClosingOrder.Length)
        {
            CloseNext();
            return;
        }
        if (ending)
        {
            Ended();
            return;
        }
        foreach (var node in seats.GiveUpLeaving())
            ReturnLease(node);
        busy = null;
        Advance();
    }

    private void AnnounceOpen()
    {
        announceOpen = false;
        BeginStepClock();
        Publish(new StageOpened
        {
            RunId = runId,
            Stage = execution.Stage!,
            Step = execution.EngineStep,
            Steps = state.Plan.Stages.First(s => s.Id == execution.Stage).Steps,
            Replaying = execution.Comparing ? 0 : (state.Stage?.Applied ?? 0) - execution.EngineStep,
            Checkpoint = execution.Checkpoint,
        });
    }

    /// <summary>Those that are at work already are not asked again.</summary>
    private void SendLanes(RunAction.ExecuteLanes execute)
    {
        foreach (var lane in execute.Lanes)
            if (!laneWork.ContainsKey((execute.Step.Step, lane.Lane)))
                SendLane(execute.Step, lane);
    }

    private void SendLane(StepPlanned step, LanePlan lane)
    {
        var positions = execution.DataAt(step.CursorFrom)!.Positions.ToDictionary(p => p.Group);
        var work = new LaneWork(new ExecuteLane
        {
            RunId = runId,
            Stage = step.Stage,
            Step = step.Step,
            Lane = lane.Lane,
            PolicyVersion = step.PolicyVersion,
            Positions = [.. lane.Groups.Select(g => positions[g])],
            Attempt = ++nextAttempt,
            Opening = execution.Opening,
            RecipeJson = state.RecipeJson,
            Policy = execution.Tickets.GetValueOrDefault((Execution.Policy, step.PolicyVersion)),
            Teacher = execution.Tickets.GetValueOrDefault((Execution.Teacher, step.PolicyVersion)),
            TraceParent = traces.ParentOf(step.Stage, step.Step),
        });
        laneWork[(step.Step, lane.Lane)] = work;
        large.Tell(lanes, work.Command);
    }

    private void Learn(StepPlanned step)
    {
        var trace = traces.ParentOf(step.Stage, step.Step);
        if (step.Lanes.Length == 0)
        {
            var documents = execution.DataAt(step.CursorFrom)!.Documents;
            Ask(Role.Learner, id => new ApplyNtpStep { RunId = runId, RequestId = id, Step = step.Step, Documents = documents, TraceParent = trace });
            return;
        }
        var groups = RunDecisions.GroupsInOrder(execution).ToArray();
        Ask(Role.Learner, id => new ApplyRlpStep { RunId = runId, RequestId = id, Step = step.Step, Groups = groups, TraceParent = trace });
    }

    private void FinishStep()
    {
        var groups = RunDecisions.AcceptedInOrder(state, execution).Select(g => (g.Group, g.ThoughtsSha256)).ToArray();
        var thoughts = state.Stage!.Plan.Rlp ? ThoughtDigest.OfStep(groups) : null;
        foreach (var lane in RunDecisions.LanesInWork(execution))
            timings = timings with { Rollout = timings.Rollout + lane.RolloutSeconds, Reward = timings.Reward + lane.RewardSeconds };
        var decision = RunDecisions.Finish(state, execution, thoughts, Seconds(stepStarted));
        if (decision.Events is [StepApplied applied, ..])
        {
            decision = decision with { Applied = applied with { AtUnixMilliseconds = Now } };
            IRunEvent[] recovered = recovery.Applied(applied) is { } cost ? [cost] : [];
            Persist([decision.Applied, .. recovered, .. decision.Events.Skip(1)], () => StepFinished(decision));
            return;
        }
        if (decision.Replayed)
            recovery.Redone();
        if (decision.Events.Count > 0)
            Persist(decision.Events, () => StepFinished(decision));
        else
            StepFinished(decision);
    }

    private void StepFinished(StepDecision decision)
    {
        var learned = execution;
        execution = decision.Execution;
        busy = null;
        if (decision.Replayed)
            traces.End(decision.Applied.Step, replayed: true);
        else // replaying up to the step that fails is no progress: it would be tried for ever
            failures.Clear();
        if (state.Status == RunStatus.Running)
        {
            Publish(new StepProgress
            {
                RunId = runId,
                Applied = decision.Applied,
                Replayed = decision.Replayed,
                Timings = timings with { Total = Seconds(stepStarted) },
                Steps = state.Stage!.Plan.Steps,
                Recovery = state.Recovery.Recoveries == 0 ? [] : new Dictionary<string, double>(state.Recovery.Metrics(state.CreatedUnixMilliseconds)),
            });
            BeginStepClock();
            KeepThoughts(decision.Applied, learned);
        }
        Advance();
    }

    /// <summary>Where this entity took over a step that another one had learned, the thoughts are gone with that one.</summary>
    private void KeepThoughts(StepApplied step, Execution learned)
    {
        if (options.ThoughtBytes is not { } bytes)
            return;
        var planned = state.Stage!.PlanOf(step.Step)!.Lanes.Sum(l => l.Groups.Length);
        var groups = RunDecisions.GroupsInOrder(learned).ToArray();
        if (planned == 0 || groups.Length < planned)
            return;
        thoughtWriter ??= Context.ActorOf(Props.Create(() => new ThoughtWriterActor(new ThoughtFolder(runFolder), bytes)), "thoughts");
        thoughtWriter.Tell(new ThoughtWriterActor.Write(step.Stage, step.Step, groups));
    }

    private void BeginStepClock()
    {
        timings = new StepTimings();
        stepStarted = Stopwatch.GetTimestamp();
    }

    // ---- answers ----

    private void TakeLane(LaneCompleted result)
    {
        var decision = RunDecisions.Accept(state, execution, result);
        switch (decision.Outcome)
        {
            case LaneOutcome.Duplicate:
                duplicates++;
                recovery.Duplicate(result.Groups.Length);
                return;
            case LaneOutcome.Refused:
                refused++;
                log.Info("run '{0}' refused a lane's result: {1}", runId, decision.Reason);
                return;
            case LaneOutcome.Accepted or LaneOutcome.Reproduced or LaneOutcome.Diverged:
                laneWork.Remove((result.Step, result.Lane));
                foreach (var waiting in laneWork.Values)
                    waiting.BeginAnew(); // it may have waited for the engine that this one had
                if (decision.Events.Count > 0)
                    Persist(decision.Events, () => LaneTaken(decision.Execution));
                else
                    LaneTaken(decision.Execution);
                return;
        }
    }

    private void LaneTaken(Execution taken)
    {
        execution = taken;
        if (state.Status != RunStatus.Running)
            laneWork.Clear(); // diverged: what the other lanes bring is of no use
        LaneSettled();
    }

    /// <summary>Goes on once no lane of the step in work is at work any more; what is sampled ahead waits for nobody.</summary>
    private void LaneSettled()
    {
        if (busy is RunAction.ExecuteLanes { Step.Step: var step } && !laneWork.Keys.Any(k => k.Step == step))
        {
            busy = null;
            Advance();
        }
        else
        {
            GoAhead();
        }
    }

    private void LoseLane(LaneFailed failure)
    {
        if (!laneWork.TryGetValue((failure.Step, failure.Lane), out var work) || work.Command.Attempt != failure.Attempt)
            return;
        laneWork.Remove((failure.Step, failure.Lane));
        var role = failure.Role == WorkerActor.NameOf(Role.Reward) ? Role.Reward : Role.Rollout;
        if (!Retry($"lane {failure.Lane} of step {failure.Step} of stage '{failure.Stage}'", failure.Kind, failure.Message))
            return;
        if (failure.EngineLost)
            execution = RunDecisions.WithoutEngine(execution, role);
        LaneSettled();
    }

    private void Take(IEngineReply reply)
    {
        if (!calls.Remove(reply.RequestId, out var call))
            return;
        heard[call.Node.UniqueAddress] = Stopwatch.GetTimestamp();
        switch (call.Request)
        {
            case CloseEngine:
                CloseRest();
                return;
            case DescribeEngine:
                found.Add((call, (EngineDescribed)reply));
                EnginesFound();
                return;
            case OpenEngine:
                execution = execution with { Open = execution.Open.Add(call.Role) };
                TakePublished((EngineDone)reply);
                break;
            case LoadData:
                traces.Loaded(((DataLoaded)reply).From, call.Since);
                TakeData((DataLoaded)reply);
                return;
            case ApplyNtpStep or ApplyRlpStep:
                var learned = (StepLearned)reply;
                execution = execution.WithPublished(learned.Published, [], Staleness) with { Learned = learned };
                timings = timings with { Learn = timings.Learn + reply.Seconds };
                break;
            case UpdateTeacher:
                execution = execution with { TeacherUpdated = true };
                TakePublished((EngineDone)reply);
                timings = timings with { Ema = timings.Ema + reply.Seconds };
                break;
            case WriteCheckpoint or SealCheckpoint:
                ContinueCheckpoint(reply);
                return;
            case EvaluatePolicy:
                TakeEvaluation((PolicyEvaluated)reply);
                return;
        }
        busy = null;
        Advance();
    }

    private int Staleness => state.Stage?.Plan.Staleness ?? 0;

    private void TakePublished(EngineDone done) => execution = execution.WithPublished(done.Published, done.Older, Staleness);

    private void TakeData(DataLoaded data)
    {
        if (prefetching == data.From)
            prefetching = null;
        if (execution.DataAt(data.From) is null)
            execution = execution with { Data = execution.Data.Add(data) };
        if (busy is RunAction.Load load && load.From == data.From)
        {
            timings = timings with { Data = timings.Data + Seconds(phaseStarted) };
            busy = null;
            Advance();
        }
        else
        {
            GoAhead();
        }
    }

    private void ContinueCheckpoint(IEngineReply reply)
    {
        var commit = (RunAction.CommitCheckpoint)busy!;
        var folder = TemporaryFolder(commit.Step);
        if (checkpointing == CheckpointStage.Learner && state.Stage!.Plan.Rlp)
        {
            checkpointing = CheckpointStage.Teacher;
            Ask(Role.Ema, id => new WriteCheckpoint { RunId = runId, RequestId = id, Folder = folder });
            return;
        }
        if (checkpointing != CheckpointStage.Seal)
        {
            checkpointing = CheckpointStage.Seal;
            Ask(Role.Learner, id => new SealCheckpoint { RunId = runId, RequestId = id, Folder = folder, Step = commit.Step, Cursor = commit.Cursor });
            return;
        }
        checkpointing = CheckpointStage.None;
        var written = ((CheckpointSealed)reply).Checkpoint;
        var committed = new CheckpointCommitted
        {
            RunId = runId,
            Stage = execution.Stage!,
            Step = commit.Step,
            Path = checkpoints.Relative(written.Path),
            Sha256 = written.Sha256,
        };
        Persist([committed], () =>
        {
            execution = execution with { Unusable = execution.Unusable.Remove(committed.Path) };
            busy = null;
            RoomFound(committed);
            Prune(committed.Stage, keep: 2);
            Publish(new CheckpointProgress { RunId = runId, Committed = committed with { Path = written.Path }, Seconds = Seconds(phaseStarted) });
            BeginStepClock();
            Advance();
        });
    }

    private void TakeEvaluation(PolicyEvaluated reply)
    {
        var evaluate = (RunAction.Evaluate)busy!;
        var evaluated = new StageEvaluated { RunId = runId, Stage = evaluate.Name, Step = evaluate.Step, Compared = evaluate.Compared, Result = reply.Result };
        Persist([evaluated], () =>
        {
            busy = null;
            Publish(new EvaluationProgress { RunId = runId, Evaluated = evaluated, Seconds = reply.Seconds });
            BeginStepClock();
            Advance();
        });
    }

    /// <summary>The last two checkpoints of the running stage stay, and the final ones of the others, and what a fork began with.</summary>
    private void Prune(string stage, int keep)
    {
        foreach (var notice in checkpoints.Prune(state.Checkpoints.Where(c => !state.IsForkPoint(c)), stage, keep))
            Notice(notice);
    }

    // ---- failures ----

    private void Lose(EngineFailed failure)
    {
        if (!calls.Remove(failure.RequestId, out var call))
            return;
        if (ending)
            return;
        if (call.Request is DescribeEngine)
        {
            EnginesFound();
            return;
        }
        if (call.Request is LoadData load && prefetching == load.From)
        {
            // A prefetch is a favour: its failure counts only when the step that needs the data fails to get it.
            prefetching = null;
            if (failure.EngineLost)
                execution = RunDecisions.WithoutEngine(execution, Role.Data);
            if (busy is not RunAction.Load { From: var awaited } || awaited != load.From)
                return;
        }
        if (call.Request is OpenEngine { Checkpoint: not null } && failure.Kind == FailureKind.Data && call.Role is Role.Learner or Role.Ema)
        {
            var journaled = state.Checkpoints.FindLast(c => checkpoints.Absolute(c)!.Path == execution.Checkpoint?.Path);
            if (journaled is not null)
            {
                Unusable(journaled, failure.Message);
                execution = execution.WithoutEngines();
                busy = null;
                Advance();
                return;
            }
        }
        if (!failure.EngineLost && busy is RunAction.CommitCheckpoint commit && call.Request is WriteCheckpoint or SealCheckpoint)
        {
            AwaitRoom(commit.Step, failure.Message);
            return;
        }
        if (!Retry($"{call.Request.GetType().Name} of stage '{execution.Stage}'{AtStep()}", failure.Kind, failure.Message))
            return;
        if (failure.EngineLost)
            execution = RunDecisions.WithoutEngine(execution, call.Role);
        checkpointing = CheckpointStage.None;
        busy = null;
        Advance();
    }

    /// <summary>False where the work failed too often: then the run fails.</summary>
    private bool Retry(string what, FailureKind kind, string reason)
    {
        var count = failures[what] = failures.GetValueOrDefault(what) + 1;
        if (count > options.Retries)
        {
            Fail(kind, $"{what} failed {count} times: {reason}");
            return false;
        }
        NodeTelemetry.Troubles.Add(1, new("run", runId), new("what", "retry"));
        Notice($"{what} failed ({kind.ToString().ToLowerInvariant()}): {reason}; it is issued again ({count} of {options.Retries})");
        return true;
    }

    private void Fail(FailureKind kind, string message)
    {
        if (ending || state.Status != RunStatus.Running)
            return;
        busy = new RunAction.GiveUp(kind, message);
        calls.Clear();
        laneWork.Clear();
        Persist([new RunFailed { RunId = runId, Kind = kind, Message = message }], () =>
        {
            busy = null;
            Advance();
        });
    }

    private string AtStep() => state.Stage is { Completed: false } stage && RunDecisions.StepInWork(stage, execution) is { } step ? $" step {step.Step}" : "";

    private string LastEvent => lastEvent == "" ? "nothing was journaled since the entity began" : $"journaled last: {lastEvent}";

    private void NameWhatIsStuck()
    {
        SeatWaiting();
        foreach (var call in calls.Values.ToArray())
        {
            if (call.IsSlow(options.WarnAfter))
                NoticeSlow($"{call.Request.GetType().Name}{AtStep()} has been with {NodeSupervisor.PathOf(call.Role)} since {call.Since:u} on node {ClusterNodes.NameOf(call.Node)}; {LastEvent}");
            if (calls.ContainsKey(call.Request.RequestId) && call.IsOverdue(options.EngineDeadline))
            {
                if (Retry($"{call.Request.GetType().Name} of stage '{execution.Stage}'{AtStep()}", FailureKind.Infrastructure, $"no answer from {NodeSupervisor.PathOf(call.Role)} within {options.EngineDeadline}"))
                    large.Tell(seats.Worker(call.Role, call.Node), call.Request); // the same id: a worker that has it does it once
            }
        }
        foreach (var (key, work) in laneWork.ToArray())
        {
            if (work.IsUnanswered(options.LaneStartWithin))
                large.Tell(lanes, work.Command); // on its way to a node that is gone; a lane that has it does it once
            if (work.IsSlow(options.WarnAfter))
                NoticeSlow($"lane {key.Lane} of step {work.Command.Step} has been at work since {work.Since:u} {(work.Node == "" ? "and no node has begun it" : $"on node {work.Node}")}; {LastEvent}");
            if (laneWork.ContainsKey(key) && work.IsOverdue(options.EngineDeadline))
            {
                var what = $"lane {key.Lane} of step {work.Command.Step} of stage '{work.Command.Stage}'";
                if (!Retry(what, FailureKind.Infrastructure, $"no result within {options.EngineDeadline}"))
                    return;
                work.Command = work.Command with { Attempt = ++nextAttempt };
                large.Tell(lanes, work.Command);
            }
        }
    }

    // ---- the end ----

    /// <summary>The run is completed, paused or failed, durably: engines are closed before anybody is told, so that the device is free.</summary>
    private void Finish()
    {
        ending = true;
        calls.Clear();
        laneWork.Clear();
        Timers.Cancel(Watch.Instance);
        Timers.StartSingleTimer(CloseTimeout.Instance, CloseTimeout.Instance, CloseWithin);
        foreach (var role in Enum.GetValues<Role>())
            foreach (var holder in seats.Reachable(role))
                seats.Worker(role, holder).Tell(new CancelWork { RunId = runId }, Self);
        CloseAll();
    }

    private void Ended()
    {
        if (!ending)
            return;
        active = false;
        foreach (var member in ClusterNodes.Available(cluster))
            seats.Supervisor(member).Tell(new ReleaseLease { RunId = runId }, Self);
        TellRegistry();
        Publish(new RunEnded { RunId = runId, Status = state.Status, Kind = state.FailureKind, Message = state.FailureMessage });
        foreach (var stopper in stoppers)
            stopper.Tell(Stopped());
        Leave();
    }

    /// <summary>Ends this incarnation. What was sent to it meanwhile, and what is sent from now on, goes to the next one.</summary>
    private void Leave()
    {
        leaving = true;
        outages.End(runId);
        Context.Parent.Tell(new Passivate(End.Instance));
        Stash.UnstashAll();
    }

    /// <summary>Those who wait are told that the entity goes away without a journaled end.</summary>
    private void Abandon(string message)
    {
        foreach (var (_, sender) in Unanswered())
            sender.Tell(Refusal(FailureKind.Infrastructure, message));
        Publish(new RunEnded { RunId = runId, Status = RunStatus.Failed, Kind = FailureKind.Infrastructure, Message = message });
    }

    // ---- small matters ----

    private static double Seconds(long started) => Stopwatch.GetElapsedTime(started).TotalSeconds;

    private RunStopped Stopped() => new() { RunId = runId, Status = state.Status, Checkpoint = checkpoints.Absolute(state.Checkpoints.LastOrDefault()) };

    private string TemporaryFolder(long step) => checkpoints.Unfinished(execution.Stage!, step);

    private void Notice(string message)
    {
        log.Warning("run '{0}': {1}", runId, message);
        Publish(new RunNotice { RunId = runId, Message = message });
    }

    private void NoticeSlow(string message)
    {
        NodeTelemetry.Troubles.Add(1, new("run", runId), new("what", "slow"));
        Notice(message);
    }

    private void Publish(IRunProgress progress)
    {
        foreach (var subscriber in subscribers)
            subscriber.Tell(progress);
        if (Clustered)
            Context.System.EventStream.Publish(progress); // to those of this node who keep books of all runs
    }

    private void TellRegistry() => registry.Tell(Report());

    private RunReport Report() => RunReport.Of(runId, state) with
    {
        Doing = calls.Values.MinBy(c => c.Since) is { } call ? $"{call.Request.GetType().Name} on {call.Role} since {call.Since:u}"
            : laneWork.Count > 0 ? $"{laneWork.Count} lanes since {laneWork.Values.Min(l => l.Since):u}"
            : noRoom is { } wait ? $"waits since {wait.Since:u} for a disk that takes its checkpoint" : "",
        Duplicates = duplicates,
        Refused = refused,
        Node = ClusterNodes.NameOf(cluster.SelfMember),
        Workers =
        [
            .. seats.Taken,
            .. laneWork.Where(w => w.Value.Node != "").OrderBy(w => w.Key).Select(w => new WorkerSeat { Role = "lane", Lane = w.Key.Lane, Node = w.Value.Node }),
        ],
    };
}
