using Akka.Actor;
using Akka.Event;
using Rlp.Actors.Hosting;
using Rlp.Actors.Workers;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines;

namespace Rlp.Actors.Nodes;

/// <summary>/user/node: owns the device leases of this process and supervises its five workers.</summary>
internal sealed class NodeSupervisor : ReceiveActor
{
    public const string Name = "node";

    private readonly NodeOptions options;
    private readonly NodeWeights weights = new();
    private readonly DeviceLeases leases;
    private readonly Dictionary<string, IActorRef> holders = [];
    private readonly ILoggingAdapter log = Context.GetLogger();

    public NodeSupervisor(NodeOptions options)
    {
        this.options = options;
        leases = new DeviceLeases(options.Device, options.Threads, options.MemoryBytes);
        Receive<AcquireLease>(Acquire);
        Receive<ReleaseLease>(release => Return(release.RunId));
        Receive<GetNodeStatus>(_ => Sender.Tell(new NodeStatus { Leases = [.. leases.Granted], Cores = options.Threads, MemoryBytes = options.MemoryBytes }));
        Receive<Terminated>(t =>
        {
            foreach (var runId in holders.Where(h => h.Value.Equals(t.ActorRef)).Select(h => h.Key).ToArray())
            {
                log.Warning("run '{0}' ended without returning its lease; its engines are closed", runId);
                foreach (var worker in Context.GetChildren())
                    worker.Tell(new CloseEngine { RunId = runId });
                Return(runId);
            }
        });
        Receive<EngineDone>(_ => { });
    }

    /// <summary>The path of a role's worker on the local node.</summary>
    public static string PathOf(Role role) => $"/user/{Name}/{WorkerActor.NameOf(role)}";

    protected override void PreStart()
    {
        Func<Role, EngineSeat> seats = role => EngineSeat.For(role, options, weights);
        var settings = options;
        foreach (var role in Enum.GetValues<Role>())
            Context.ActorOf(Props.Create(() => new WorkerActor(role, settings, seats)), WorkerActor.NameOf(role));
    }

    private void Acquire(AcquireLease request)
    {
        var (lease, refusal) = leases.Acquire(request);
        if (lease is null)
        {
            Sender.Tell(new LeaseRefused { RunId = request.RunId, Message = refusal });
            return;
        }
        holders[request.RunId] = Context.Watch(Sender);
        Sender.Tell(lease);
    }

    private void Return(string runId)
    {
        leases.Release(runId);
        if (holders.Remove(runId, out var holder) && !holders.ContainsValue(holder))
            Context.Unwatch(holder);
    }
}
