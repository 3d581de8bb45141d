using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster;
using Rlp.Actors.Nodes;
using Rlp.Actors.Workers;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

// The run entity and the nodes that its engines stand on: who gets a seat, what becomes of the run when a node is lost or leaves.
internal sealed partial class TrainingRunActor
{
    private bool Clustered => options.Cluster is not null;

    /// <summary>
    /// Nobody else can run this run. In a cluster its one entity is what sharding and the split-brain resolver see to, and the journal, which takes
    /// each sequence number once, stops what is left of another.
    /// </summary>
    private bool Owned => Clustered || runLock is not null;

    /// <summary>The address of the node that the message in work came from.</summary>
    private Address SenderNode => Sender.Path.Address.HasLocalScope ? cluster.SelfAddress : Sender.Path.Address;

    private void TakeLease(LeaseGranted granted)
    {
        leased.Add(SenderNode);
        if (starting is not null)
            Begin();
        else
            SeatWaiting();
    }

    private void RefuseLease(LeaseRefused refusal)
    {
        if (starting is not null)
        {
            Refuse(FailureKind.Configuration, refusal.Message);
            return;
        }
        Notice($"{seats.Decline(SenderNode)} has no room: {refusal.Message}");
        SeatWaiting();
    }

    /// <summary>An engine that waits for a node, or for a node's lease, is opened once that is there.</summary>
    private void SeatWaiting()
    {
        if (active && !ending && busy is RunAction.Open open && !calls.Values.Any(c => c.Request is OpenEngine))
            OpenEngineOf(open.Role);
    }

    private void OpenEngineOf(Role role)
    {
        if (seats.Take(role) is not { } seat)
        {
            if (unseated != role)
                Notice($"no node with the role {WorkerActor.NameOf(role)} is up and free; the run waits for one");
            unseated = role;
            return;
        }
        unseated = null;
        if (!leased.Contains(seat.Address))
        {
            seats.Supervisor(seat).Tell(lease, Self);
            return;
        }
        Ask(role, id => new OpenEngine
        {
            RunId = runId,
            RequestId = id,
            Stage = execution.Stage!,
            RecipeJson = state.RecipeJson,
            Checkpoint = execution.Checkpoint,
            Opening = execution.Opening,
            Policy = role == Role.Ema ? execution.Newest(Execution.Policy) : null,
        });
    }

    /// <summary>Asks every node whether it has engines of this run, which another entity opened and lost with its node.</summary>
    private void FindEngines()
    {
        adopting = true;
        found.Clear();
        foreach (var role in (Role[])[Role.Learner, Role.Ema])
            foreach (var holder in seats.Nodes(role))
                Ask(role, holder, id => new DescribeEngine { RunId = runId, RequestId = id });
        EnginesFound();
    }

    private void EnginesFound()
    {
        if (!adopting || calls.Values.Any(c => c.Request is DescribeEngine))
            return;
        adopting = false;
        var learner = found.Find(f => f.Call.Role == Role.Learner && f.Found.Stage != "");
        var teacher = found.Find(f => f.Call.Role == Role.Ema && f.Found.Stage != "" && f.Found.Opening == learner.Found?.Opening);
        if (learner.Found is { } held && RunDecisions.Adopt(state, held, teacher.Found) is { } adopted)
        {
            execution = adopted;
            seats.Adopt(Role.Learner, learner.Call.Node);
            if (adopted.Open.Contains(Role.Ema))
                seats.Adopt(Role.Ema, teacher.Call.Node);
            foreach (var role in adopted.Open)
                seats.Supervisor(seats.Take(role)!).Tell(lease, Self);
            Notice($"goes on with the engines that are open on {ClusterNodes.NameOf(learner.Call.Node)} at step {held.Step}: no step is done again");
            announceOpen = true;
        }
        found.Clear();
        Advance();
    }

    /// <summary>A node is gone, with whatever it had of this run.</summary>
    private void LoseNode(Member node)
    {
        leased.Remove(node.Address);
        large.Forget(node.Address);
        var roles = seats.On(node);
        foreach (var role in roles)
            seats.Release(role);
        var lost = calls.Values.Where(c => c.Node.UniqueAddress.Equals(node.UniqueAddress)).ToArray();
        foreach (var call in lost)
            calls.Remove(call.Request.RequestId);
        if (!active)
            return;
        if (Array.Exists(lost, c => c.Request is DescribeEngine))
        {
            EnginesFound();
            return;
        }
        if (Array.Exists(lost, c => c.Request is CloseEngine))
        {
            CloseRest();
            return;
        }
        if (ending)
            return;
        Mourn(node, roles);
        if (roles.Length == 0 && lost.Length == 0)
            return;
        foreach (var role in roles)
            execution = RunDecisions.WithoutEngine(execution, role);
        if (Array.Exists(lost, c => c.Request is LoadData))
            prefetching = null;
        if (execution.Stage is null || Array.Exists(lost, c => c.Request is not LoadData || busy is RunAction.Load))
        {
            checkpointing = CheckpointStage.None;
            busy = null;
        }
        Advance();
        SeatWaiting();
    }

    /// <summary>A node has sent no heartbeat for so long that it is taken for unreachable: its last sign of life was that long ago, if none was heard since.</summary>
    private void FallSilent(Member node)
    {
        var last = Stopwatch.GetTimestamp() - (long)(options.Cluster?.HeartbeatPause.TotalSeconds * Stopwatch.Frequency ?? 0);
        heard[node.UniqueAddress] = Math.Max(last, heard.GetValueOrDefault(node.UniqueAddress));
    }

    /// <summary>Says and journals that a node is lost.</summary>
    private void Mourn(Member node, IReadOnlyList<Role> roles)
    {
        var name = ClusterNodes.NameOf(node);
        string[] had = [.. roles.Select(WorkerActor.NameOf), .. laneWork.Values.Any(w => w.Node == name || (w.Node == "" && node.Has(Role.Rollout))) ? (string[])["lane"] : []];
        if (had.Length == 0)
            return;
        var silent = heard.TryGetValue(node.UniqueAddress, out var last) ? Seconds(last) : 0;
        var what = $"node {name} with {string.Join(", ", had)}";
        recovery.Lost(what, silent);
        Notice($"{what} is lost");
        Note(new NodeLost { RunId = runId, Node = name, Roles = had, AtUnixMilliseconds = Now, SilentSeconds = silent });
    }

    /// <summary>Journals what decides nothing.</summary>
    private void Note(IRunEvent @event) => PersistAll([@event], e => state = state.Apply(e));

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    /// <summary>A node is about to leave: what is held there is brought to safety, and goes on elsewhere.</summary>
    private void MakeWay(string name)
    {
        if (seats.Avoid(name) is not { } node || !active)
            return;
        var roles = seats.On(node);
        Notice($"node {name} is about to leave{(roles.Length == 0 ? "" : $"; {string.Join(", ", roles.Select(WorkerActor.NameOf))} move to another")}");
        if (roles.Any(r => r is Role.Learner or Role.Ema))
        {
            execution = execution with { Moving = true };
        }
        else
        {
            foreach (var role in roles)
            {
                execution = RunDecisions.WithoutEngine(execution, role);
                seats.Release(role);
            }
            ReturnLease(node);
        }
        Advance();
    }

    private void ReturnLease(Member node)
    {
        leased.Remove(node.Address);
        seats.Supervisor(node).Tell(new ReleaseLease { RunId = runId }, Self);
    }

    private void TakeStart(LaneStarted started)
    {
        if (!laneWork.TryGetValue((started.Step, started.Lane), out var work) || work.Command.Attempt != started.Attempt)
            return;
        work.Began(Context.Watch(Sender), started.Node);
        if (seats.Named(started.Node) is { } node)
            heard[node.UniqueAddress] = Stopwatch.GetTimestamp();
    }

    /// <summary>A lane entity ended: it was moved to another node, or its node is gone. Its work is sent to where it stands next.</summary>
    private void SendElsewhere(IActorRef lane)
    {
        foreach (var work in laneWork.Values.Where(w => lane.Equals(w.Entity)))
        {
            recovery.LaneRepeated();
            if (!seats.IsUp(work.Node))
                recovery.Lost($"lane {work.Command.Lane} on node {work.Node}", 0);
            work.Command = work.Command with { Attempt = ++nextAttempt };
            work.Sent();
            large.Tell(lanes, work.Command);
        }
    }
}
