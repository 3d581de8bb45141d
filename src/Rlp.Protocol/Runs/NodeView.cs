using Rlp.Protocol.Replies;

namespace Rlp.Protocol.Runs;

/// <summary>A member of the cluster.</summary>
/// <param name="Address">HOST:PORT of its remoting.</param>
/// <param name="Status">joining, up, leaving, exiting, down or removed.</param>
public sealed record NodeView(string Name, string Address, IReadOnlyList<string> Roles, string Status, bool Reachable, bool Self);

/// <summary>A member with its own word about itself.</summary>
/// <param name="Status">Null: the node does not answer.</param>
/// <param name="Workers">Of the workers that answer.</param>
public sealed record NodeReport(NodeView Node, NodeStatus? Status, IReadOnlyList<WorkerStatus> Workers);
