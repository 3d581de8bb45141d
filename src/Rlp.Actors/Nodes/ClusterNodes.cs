using System.Security.Cryptography;
using System.Text;
using Akka.Actor;
using Akka.Cluster;
using Rlp.Actors.Workers;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Nodes;

/// <summary>What members of the cluster say of themselves in their roles: what they do, and their names.</summary>
internal static class ClusterNodes
{
    /// <summary>The role of the nodes that run entities and the registry stand on.</summary>
    public const string Coordinator = "coordinator";

    private const string NamePrefix = "name-";

    /// <summary>The cluster roles of a node.</summary>
    public static string[] RolesOf(string name, IEnumerable<Role> workers, bool coordinates) =>
        [.. workers.Select(WorkerActor.NameOf), .. coordinates ? (string[])[Coordinator] : [], NamePrefix + name];

    /// <summary>The node's name; its address where it has none.</summary>
    public static string NameOf(Member member) =>
        member.Roles.FirstOrDefault(r => r.StartsWith(NamePrefix, StringComparison.Ordinal)) is { } name
            ? name[NamePrefix.Length..]
            : $"{member.Address.Host}:{member.Address.Port}";

    /// <summary>What the node does: its roles without its name.</summary>
    public static IEnumerable<string> WorkOf(Member member) => member.Roles.Where(r => !r.StartsWith(NamePrefix, StringComparison.Ordinal));

    public static bool Has(this Member member, Role role) => member.HasRole(WorkerActor.NameOf(role));

    /// <summary>The supervisor of a node.</summary>
    public static ActorSelection SupervisorOn(this IActorRefFactory system, Member node) => system.ActorSelection($"{node.Address}/user/{NodeSupervisor.Name}");

    /// <summary>A role's worker on a node.</summary>
    public static ActorSelection WorkerOn(this IActorRefFactory system, Member node, Role role) => system.ActorSelection($"{node.Address}{NodeSupervisor.PathOf(role)}");

    /// <summary>The members that can be asked for work: up, and reachable as far as this node knows.</summary>
    public static IEnumerable<Member> Available(Cluster cluster)
    {
        var state = cluster.State;
        return state.Members.Where(m => m.Status == MemberStatus.Up && !state.Unreachable.Contains(m));
    }

    /// <summary>
    /// Orders nodes for a key, the same on every node: another node's coming and going changes nothing in the order of the rest (rendezvous hashing).
    /// </summary>
    public static IOrderedEnumerable<Member> Ranked(this IEnumerable<Member> members, string key) =>
        members.OrderByDescending(m => BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes($"{key} {m.Address}"))));
}
