using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster;
using Rlp.Actors.Nodes;
using Rlp.Actors.Workers;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

/// <summary>
/// The nodes whose workers have a run's engines. A seat is taken when an engine is about to be opened and kept until its node is gone: weights
/// and teacher stand best beside the learner, whose node is asked first.
/// </summary>
internal sealed class RunSeats(string runId, ActorSystem system)
{
    private static readonly TimeSpan DeclinedFor = TimeSpan.FromSeconds(10);

    private readonly Dictionary<Address, long> declined = [];
    private readonly Cluster cluster = Cluster.Get(system);
    private readonly Dictionary<Role, Member> seats = [];
    private readonly HashSet<UniqueAddress> leaving = [];

    /// <summary>The node that the learner stands on; null where none is chosen.</summary>
    private Member? Learner => seats.GetValueOrDefault(Role.Learner);

    /// <summary>The seats taken, for people.</summary>
    public IEnumerable<WorkerSeat> Taken => seats.Select(s => new WorkerSeat { Role = WorkerActor.NameOf(s.Key), Node = ClusterNodes.NameOf(s.Value) });

    /// <summary>The node of a role, chosen now where none is; null where no node that is up has the role.</summary>
    public Member? Take(Role role)
    {
        if (seats.TryGetValue(role, out var taken))
            return taken;
        // Ranking is stable where the first key is equal: the learner's own node, or for the learner the one that has most of the others.
        var chosen = Nodes(role).Ranked(runId).OrderByDescending(Nearness).FirstOrDefault();
        if (chosen is not null)
            seats[role] = chosen;
        return chosen;

        int Nearness(Member node) => Learner is { } learner ? Convert.ToInt32(node.Equals(learner)) : Enum.GetValues<Role>().Count(node.Has);
    }

    /// <summary>The role's engine is open there, by another entity's doing.</summary>
    public void Adopt(Role role, Member node) => seats[role] = node;

    /// <summary>Nodes that are up and have the role, without those about to leave.</summary>
    public IEnumerable<Member> Nodes(Role role) => ClusterNodes.Available(cluster).Where(m => m.Has(role) && !leaving.Contains(m.UniqueAddress)
        && !(declined.TryGetValue(m.Address, out var since) && Stopwatch.GetElapsedTime(since) < DeclinedFor));

    /// <summary>Every node that may have an engine of the role.</summary>
    public IEnumerable<Member> Reachable(Role role)
    {
        var state = cluster.State;
        return state.Members.Where(m => m.Has(role) && m.Status is MemberStatus.Up or MemberStatus.Leaving && !state.Unreachable.Contains(m));
    }

    /// <summary>The roles whose node this is.</summary>
    public Role[] On(Member node) => [.. seats.Where(s => s.Value.UniqueAddress.Equals(node.UniqueAddress)).Select(s => s.Key)];

    public void Release(Role role) => seats.Remove(role);

    /// <summary>A node has no room now: it is not asked for a while.</summary>
    /// <returns>Its name.</returns>
    public string Decline(Address address)
    {
        declined[address] = Stopwatch.GetTimestamp();
        foreach (var seat in seats.Where(s => s.Value.Address.Equals(address)).ToArray())
            seats.Remove(seat.Key);
        return cluster.State.Members.FirstOrDefault(m => m.Address.Equals(address)) is { } node ? ClusterNodes.NameOf(node) : address.ToString();
    }

    /// <summary>Gives up the seats on nodes that are about to leave, and names those nodes.</summary>
    public Member[] GiveUpLeaving()
    {
        var given = seats.Where(s => leaving.Contains(s.Value.UniqueAddress)).ToArray();
        foreach (var seat in given)
            seats.Remove(seat.Key);
        return [.. given.Select(s => s.Value).DistinctBy(m => m.UniqueAddress)];
    }

    /// <summary>No seat is taken on this node any more; those taken stay until they are given up.</summary>
    public Member? Avoid(string name)
    {
        if (Named(name) is not { } node)
            return null;
        leaving.Add(node.UniqueAddress);
        return node;
    }

    /// <summary>False for a node that is gone or out of reach.</summary>
    public bool IsUp(string name) => ClusterNodes.Available(cluster).Any(m => ClusterNodes.NameOf(m) == name);

    public Member? Named(string name) => cluster.State.Members.FirstOrDefault(m => ClusterNodes.NameOf(m) == name);

    public ActorSelection Worker(Role role, Member node) => system.WorkerOn(node, role);

    public ActorSelection Supervisor(Member node) => system.SupervisorOn(node);
}
