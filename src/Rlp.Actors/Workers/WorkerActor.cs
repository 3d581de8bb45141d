using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Rlp.Actors.Hosting;
using Rlp.Actors.Serialization;
using Rlp.Actors.Telemetry;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Workers;

/// <summary>
/// The front of one worker: answers status, cancel and drain at once while its engines work. Keeps one engine child per run, gives each one
/// request at a time, and replaces one that failed after a pause that grows with the failures in a row.
/// </summary>
internal sealed class WorkerActor : ReceiveActor, IWithTimers
{
    private sealed record Work(IEngineRequest Request, IActorRef Asker);

    private sealed record Replace(string RunId);

    /// <summary>A run's engine child with what it does and what waits for it. Child is null between two children.</summary>
    private sealed class Slot
    {
        public IActorRef? Child { get; set; }
        public bool Ending { get; set; }
        public Work? Current { get; set; }
        public bool DropCurrent { get; set; }
        public DateTimeOffset Since { get; set; }
        public Queue<Work> Waiting { get; } = new();
        public List<Work> Closing { get; } = [];
        public int FailuresInARow { get; set; }
    }

    private readonly Role role;
    private readonly NodeOptions options;
    private readonly Func<Role, EngineSeat> seats;
    private readonly Dictionary<string, Slot> slots = [];
    private readonly List<IActorRef> drainers = [];
    private readonly ILoggingAdapter log = Context.GetLogger();
    private readonly LargeMessages large = new(Context);
    private DateTimeOffset idleSince = DateTimeOffset.UtcNow;
    private bool draining;
    private long done;

    public WorkerActor(Role role, NodeOptions options, Func<Role, EngineSeat> seats)
    {
        this.role = role;
        this.options = options;
        this.seats = seats;
        Receive<GetWorkerStatus>(_ => Sender.Tell(Status()));
        Receive<CancelWork>(Cancel);
        Receive<DrainWorker>(_ =>
        {
            draining = true;
            drainers.Add(Sender);
            AnswerDrainers();
        });
        Receive<CloseEngine>(Close);
        Receive<RestartWorker>(_ => Restart());
        Receive<IEngineRequest>(Enqueue);
        Receive<IEngineReply>(Forward);
        Receive<Terminated>(t => Ended(t.ActorRef));
        Receive<Replace>(r => EndPause(r.RunId));
        Receive<MessagePart>(part =>
        {
            if (large.Take(part, Sender) is { } whole)
                Receive(whole);
        });
        Receive<PartTaken>(large.GoOn);
        Receive<LargeMessages.DropLost>(_ => large.Drop());
    }

    public ITimerScheduler Timers { get; set; } = null!;

    public static string NameOf(Role role) => role.ToString().ToLowerInvariant();

    // An engine's state is of no use after an exception: the child ends, a new one is opened by the run that needs it.
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Stop);

    private void Enqueue(IEngineRequest request)
    {
        if (draining)
        {
            Sender.Tell(Failed(request, "the worker is being drained", engineLost: false));
            return;
        }
        if (request is DescribeEngine && slots.GetValueOrDefault(request.RunId) is not { Child: not null, Ending: false })
        {
            Sender.Tell(new EngineDescribed { RunId = request.RunId, RequestId = request.RequestId }); // nothing is open, and nothing is begun for a question
            return;
        }
        if (!slots.TryGetValue(request.RunId, out var slot))
            slots.Add(request.RunId, slot = new Slot());
        var work = new Work(request, Sender);
        if (IsSame(slot.Current, work) || slot.Waiting.Any(w => IsSame(w, work)))
            return; // asked again while it is being done
        slot.Waiting.Enqueue(work);
        if (slot is { Child: null, Ending: false })
            Start(request.RunId);
        else
            Pump(slot);
    }

    private static bool IsSame(Work? left, Work right) => left is not null && left.Request.RequestId == right.Request.RequestId && left.Asker.Equals(right.Asker);

    private void Start(string runId)
    {
        if (!slots.TryGetValue(runId, out var slot) || slot.Child is not null)
            return;
        slot.Ending = false;
        var (ownRole, ownSeats) = (role, seats);
        slot.Child = Context.Watch(Context.ActorOf(Props.Create(() => new EngineActor(ownRole, ownSeats)).WithDispatcher(Dispatchers.Engine)));
        Pump(slot);
    }

    /// <summary>The pause after a failure is over: a successor starts where somebody waits for one.</summary>
    private void EndPause(string runId)
    {
        if (!slots.TryGetValue(runId, out var slot) || slot.Child is not null)
            return;
        if (slot.Waiting.Count > 0)
            Start(runId);
        else
            slots.Remove(runId);
    }

    private void Pump(Slot slot)
    {
        if (slot is not { Child: { } child, Ending: false, Current: null } || !slot.Waiting.TryDequeue(out var work))
            return;
        slot.Current = work;
        slot.DropCurrent = false;
        slot.Since = DateTimeOffset.UtcNow;
        NodeTelemetry.Busy.Add(1, RoleTag);
        child.Tell(work.Request);
    }

    private KeyValuePair<string, object?> RoleTag => new("role", NameOf(role));

    /// <summary>The call is over: measured, and a part of its step's trace.</summary>
    private void Measure(Work work, DateTimeOffset since, string outcome)
    {
        var call = work.Request.GetType().Name;
        NodeTelemetry.Busy.Add(-1, RoleTag);
        NodeTelemetry.CallSeconds.Record((DateTimeOffset.UtcNow - since).TotalSeconds, RoleTag, new("call", call), new("outcome", outcome));
        ActivityContext.TryParse(work.Request.TraceParent, null, isRemote: true, out var parent);
        using var activity = NodeTelemetry.Source.StartActivity(
            ActivityKind.Consumer, parent, [new("rlp.run", work.Request.RunId), new("rlp.node", options.Name), new("rlp.call", call)], startTime: since, name: NameOf(role));
        if (outcome != "done")
            activity?.SetStatus(ActivityStatusCode.Error, outcome);
    }

    private void Forward(IEngineReply reply)
    {
        if (!slots.TryGetValue(reply.RunId, out var slot) || !Equals(slot.Child, Sender) || slot.Current is not { } work)
            return;
        done++;
        idleSince = DateTimeOffset.UtcNow;
        slot.Current = null;
        Measure(work, slot.Since, reply is EngineFailed ? "failed" : "done");
        if (slot.Ending && slot.Closing.Count == 0 && reply is not EngineFailed)
            reply = Failed(work.Request, "the worker is restarted", engineLost: true);
        if (!slot.DropCurrent)
            large.Tell(work.Asker, reply);
        if (reply is EngineFailed failed)
            log.Warning("the {0} engine of run '{1}' failed: {2}", NameOf(role), reply.RunId, failed.Message);
        if (reply is EngineFailed { EngineLost: true } lost)
        {
            slot.Ending = true;
            slot.FailuresInARow++;
            FailWaiting(slot, lost.Message);
        }
        else
        {
            if (work.Request is not OpenEngine) // an engine that opens and then fails has not recovered
                slot.FailuresInARow = 0;
            Pump(slot);
        }
        AnswerDrainers();
    }

    private void Close(CloseEngine close)
    {
        if (!slots.TryGetValue(close.RunId, out var slot) || slot.Child is not { } child)
        {
            slot?.Waiting.Clear(); // a pause after a failure goes on: closing does not mend what failed
            Sender.Tell(new EngineDone { RunId = close.RunId, RequestId = close.RequestId });
            return;
        }
        slot.Closing.Add(new Work(close, Sender));
        slot.Waiting.Clear();
        if (!slot.Ending)
            Context.Stop(child);
        slot.Ending = true;
    }

    /// <summary>Only engines at work: a run learns that its engine is gone from the call that fails.</summary>
    private void Restart()
    {
        foreach (var slot in slots.Values.Where(s => s is { Child: not null, Ending: false, Current: not null }))
        {
            FailWaiting(slot, "the worker is restarted");
            Context.Stop(slot.Child);
            slot.Ending = true;
        }
        Sender.Tell(Status());
    }

    private void Ended(IActorRef child)
    {
        if (slots.FirstOrDefault(s => child.Equals(s.Value.Child)) is not { Key: { } runId, Value: { } slot })
            return;
        slot.Child = null;
        if (slot.Current is { } lost)
        {
            slot.Current = null;
            Measure(lost, slot.Since, "lost");
            if (!slot.DropCurrent && slot.Closing.Count == 0)
                lost.Asker.Tell(Failed(lost.Request, "the engine ended during the call", engineLost: true));
        }
        foreach (var closed in slot.Closing)
            closed.Asker.Tell(new EngineDone { RunId = runId, RequestId = closed.Request.RequestId });
        slot.Closing.Clear();
        if (slot.FailuresInARow > 0)
        {
            var pause = Math.Min(
                options.RestartBackoff.TotalMilliseconds * Math.Pow(2, slot.FailuresInARow - 1), options.MaximumRestartBackoff.TotalMilliseconds);
            Timers.StartSingleTimer(runId, new Replace(runId), TimeSpan.FromMilliseconds(pause));
        }
        else if (slot.Waiting.Count > 0)
        {
            Start(runId);
        }
        else
        {
            slots.Remove(runId);
        }
        AnswerDrainers();
    }

    private void Cancel(CancelWork cancel)
    {
        if (!slots.TryGetValue(cancel.RunId, out var slot))
            return;
        slot.Waiting.Clear();
        slot.DropCurrent = true;
        AnswerDrainers();
    }

    private void FailWaiting(Slot slot, string reason)
    {
        while (slot.Waiting.TryDequeue(out var waiting))
            waiting.Asker.Tell(Failed(waiting.Request, $"the engine failed before this call: {reason}", engineLost: true));
    }

    private EngineFailed Failed(IEngineRequest request, string reason, bool engineLost) => new()
    {
        RunId = request.RunId,
        RequestId = request.RequestId,
        Role = NameOf(role),
        Kind = FailureKind.Infrastructure,
        Message = $"{request.GetType().Name} on the {NameOf(role)} worker: {reason}",
        EngineLost = engineLost,
    };

    private WorkerStatus Status()
    {
        var working = slots.Values.FirstOrDefault(s => s.Current is not null);
        return new WorkerStatus
        {
            Role = NameOf(role),
            State = draining ? "draining" : working is not null ? "working" : slots.Values.Any(s => s.Ending) ? "restarting" : "idle",
            What = working?.Current is { } work ? $"{work.Request.GetType().Name} of run '{work.Request.RunId}'" : "",
            SinceUnixMilliseconds = (working?.Since ?? idleSince).ToUnixTimeMilliseconds(),
            Done = done,
            Queued = slots.Values.Sum(s => s.Waiting.Count),
        };
    }

    private void AnswerDrainers()
    {
        if (drainers.Count == 0 || slots.Values.Any(s => s.Current is not null || s.Waiting.Count > 0))
            return;
        foreach (var drainer in drainers)
            drainer.Tell(new WorkerDrained { Role = NameOf(role) });
        drainers.Clear();
    }
}
