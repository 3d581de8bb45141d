using Akka.Actor;
using Akka.Cluster;
using Akka.Hosting;
using Rlp.Actors.Nodes;
using Rlp.Actors.Runs;
using Rlp.Protocol;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Hosting;

/// <summary>How code outside the actor system looks at the nodes of the cluster and tells them what to do.</summary>
public sealed class NodeClient(ActorSystem system)
{
    /// <summary>A node that takes longer does not answer.</summary>
    public static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);

    private readonly Cluster cluster = Cluster.Get(system);

    /// <summary>The members of the cluster as this node sees them.</summary>
    public IReadOnlyList<NodeView> Members() => [.. Seen().Select(m => m.View)];

    /// <summary>Every member with its leases and workers. All are asked at once; none is waited for beyond <see cref="AnswerWithin"/>.</summary>
    public async Task<IReadOnlyList<NodeReport>> ReportsAsync(CancellationToken cancellation = default) =>
        await Task.WhenAll(Seen().Select(async seen =>
        {
            var status = AskOrNull<NodeStatus>(system.SupervisorOn(seen.Member), new GetNodeStatus(), cancellation);
            var workers = await Task.WhenAll(Enum.GetValues<Role>().Where(seen.Member.Has)
                .Select(role => AskOrNull<WorkerStatus>(system.WorkerOn(seen.Member, role), new GetWorkerStatus(), cancellation)));
            return new NodeReport(seen.View, await status, [.. workers.OfType<WorkerStatus>()]);
        }));

    /// <summary>Closes the engines of a worker as if they had failed.</summary>
    /// <exception cref="RunRefusedException">No such node or worker, or no answer.</exception>
    public async Task<WorkerStatus> RestartWorkerAsync(string node, Role role, CancellationToken cancellation = default)
    {
        var member = Find(node);
        if (!member.Has(role))
            throw Refused($"node {node} has no {Workers.WorkerActor.NameOf(role)} worker; it has {string.Join(", ", ClusterNodes.WorkOf(member))}");
        return await AskOrNull<WorkerStatus>(system.WorkerOn(member, role), new RestartWorker(), cancellation) ?? throw Silent(node);
    }

    /// <summary>
    /// Has a node grant nothing more and its runs move their learners and teachers to other nodes, each after a checkpoint. False where that took
    /// longer.
    /// </summary>
    /// <exception cref="RunRefusedException">There is no such node.</exception>
    public async Task<bool> DrainAsync(string node, TimeSpan within, CancellationToken cancellation = default) =>
        await AskOrNull<NodeDrained>(system.SupervisorOn(Find(node)), new DrainNode(), cancellation, within) is not null;

    /// <summary>The node leaves the cluster, handing over what stands on it; its process ends.</summary>
    /// <exception cref="RunRefusedException">There is no such node.</exception>
    public void Leave(string node) => cluster.Leave(Find(node).Address);

    /// <summary>The cluster goes on as if the node had died.</summary>
    /// <exception cref="RunRefusedException">There is no such node.</exception>
    public void Down(string node) => cluster.Down(Find(node).Address);

    /// <summary>Has a lane's work done by the workers of another node.</summary>
    /// <param name="node">Null: whichever is next.</param>
    /// <exception cref="RunRefusedException">No other node can take it, or no answer.</exception>
    public async Task<LaneReassigned> ReassignLaneAsync(string runId, int lane, string? node, CancellationToken cancellation = default)
    {
        var command = new ReassignLane { RunId = runId, Lane = lane, Node = node ?? "" };
        return await AskOrNull<IRlpMessage>(ActorRegistry.For(system).Get<RolloutLaneActor>(), command, cancellation) switch
        {
            LaneReassigned done => done,
            RunRefused refused => throw new RunRefusedException(refused.Kind, refused.Message),
            _ => throw new RunRefusedException(FailureKind.Infrastructure, $"lane {lane} of run '{runId}' does not answer within {AnswerWithin.TotalSeconds:0} s; it may be moving, try again"),
        };
    }

    private IEnumerable<(Member Member, NodeView View)> Seen()
    {
        var state = cluster.State;
        return state.Members.OrderBy(m => m.Address.ToString(), StringComparer.Ordinal).Select(m => (m, new NodeView(
            ClusterNodes.NameOf(m),
            $"{m.Address.Host}:{m.Address.Port}",
            [.. ClusterNodes.WorkOf(m).Order(StringComparer.Ordinal)],
            m.Status.ToString().ToLowerInvariant(),
            !state.Unreachable.Contains(m),
            m.Equals(cluster.SelfMember))));
    }

    private Member Find(string node)
    {
        var members = cluster.State.Members;
        return members.FirstOrDefault(m => ClusterNodes.NameOf(m) == node)
            ?? throw Refused($"there is no node '{node}' in the cluster; there are {string.Join(", ", members.Select(ClusterNodes.NameOf).Order(StringComparer.Ordinal))}");
    }

    private static async Task<T?> AskOrNull<T>(ICanTell whom, object message, CancellationToken cancellation, TimeSpan? within = null) where T : class
    {
        try
        {
            return await whom.Ask<T>(message, within ?? AnswerWithin, cancellation);
        }
        catch (AskTimeoutException)
        {
            return null;
        }
    }

    private static RunRefusedException Refused(string message) => new(FailureKind.Configuration, message);

    private static RunRefusedException Silent(string node) =>
        new(FailureKind.Infrastructure, $"node {node} does not answer within {AnswerWithin.TotalSeconds:0} s");
}
