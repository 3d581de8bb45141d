using Akka.Actor;
using Akka.Event;
using Rlp.Actors.Hosting;
using Rlp.Actors.Workers;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Weights;

namespace Rlp.Actors.Nodes;

/// <summary>/user/node: owns the device leases of this process and supervises its five workers.</summary>
internal sealed class NodeSupervisor : ReceiveActor, IWithTimers
{
    /// <summary>Nobody has taken over from a run entity that ended.</summary>
    private sealed record Orphaned(string RunId, IActorRef Holder);

    public const string Name = "node";

    private readonly NodeOptions options;
    private readonly NodeWeights weights;
    private readonly DeviceLeases leases;
    private readonly Dictionary<string, IActorRef> holders = [];
    private readonly List<IActorRef> drainers = [];
    private readonly ILoggingAdapter log = Context.GetLogger();
    private bool draining;

    public NodeSupervisor(NodeOptions options, NodeWeights weights)
    {
        this.options = options;
        this.weights = weights;
        leases = new DeviceLeases(options.Device, options.Threads, options.MemoryBytes);
        Receive<AcquireLease>(Acquire);
        Receive<ReleaseLease>(release => Return(release.RunId));
        Receive<GetNodeStatus>(_ => Sender.Tell(new NodeStatus
        {
            Leases = [.. leases.Granted],
            Cores = options.Threads,
            MemoryBytes = options.MemoryBytes,
            Device = options.Device,
            Draining = draining,
        }));
        Receive<DrainNode>(_ =>
        {
            draining = true;
            drainers.Add(Sender);
            foreach (var (runId, holder) in holders)
                holder.Tell(new LeaseRevoked { RunId = runId, Node = options.Name });
            AnswerDrainers();
        });
        Receive<Terminated>(t =>
        {
            foreach (var runId in holders.Where(h => h.Value.Equals(t.ActorRef)).Select(h => h.Key).ToArray())
            {
                // In a cluster the run goes on elsewhere, with the engines that are open here if they hold what it needs.
                if (options.Cluster is { } cluster)
                    Timers.StartSingleTimer(runId, new Orphaned(runId, t.ActorRef), cluster.OrphanedFor);
                else
                    Close(runId);
            }
        });
        Receive<Orphaned>(orphan =>
        {
            if (holders.TryGetValue(orphan.RunId, out var holder) && holder.Equals(orphan.Holder))
                Close(orphan.RunId);
        });
        Receive<EngineDone>(_ => { });
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>The path of a role's worker on the local node.</summary>
    public static string PathOf(Role role) => $"/user/{Name}/{WorkerActor.NameOf(role)}";

    protected override void PreStart()
    {
        Func<Role, EngineSeat> seats = role => EngineSeat.For(role, options, weights);
        var settings = options;
        foreach (var role in options.Roles)
            Context.ActorOf(Props.Create(() => new WorkerActor(role, settings, seats)), WorkerActor.NameOf(role));
    }

    private void Acquire(AcquireLease request)
    {
        var (lease, refusal) = draining
            ? (null, $"node {options.Name} is about to leave")
            : leases.Acquire(request.Cores > 0 ? request : request with { Cores = options.Threads });
        if (lease is null)
        {
            Sender.Tell(new LeaseRefused { RunId = request.RunId, Message = refusal });
            return;
        }
        Timers.Cancel(request.RunId);
        holders[request.RunId] = Context.Watch(Sender);
        Sender.Tell(lease);
    }

    private void Close(string runId)
    {
        log.Warning("run '{0}' ended without returning its lease; its engines are closed", runId);
        foreach (var worker in Context.GetChildren())
            worker.Tell(new CloseEngine { RunId = runId });
        Return(runId);
    }

    private void Return(string runId)
    {
        leases.Release(runId);
        if (holders.Remove(runId, out var holder) && !holders.ContainsValue(holder))
            Context.Unwatch(holder);
        AnswerDrainers();
    }

    private void AnswerDrainers()
    {
        if (holders.Count > 0)
            return;
        foreach (var drainer in drainers)
            drainer.Tell(new NodeDrained());
        drainers.Clear();
    }
}
