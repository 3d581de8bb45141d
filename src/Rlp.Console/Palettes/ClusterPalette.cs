using System.Runtime.CompilerServices;

namespace Rlp.Consoles.Palettes;

internal static class ClusterPalette
{
    private static readonly Argument Within = new Argument("within", "-t", "seconds to wait for the runs to move before it leaves all the same") { Default = "120" }.Whole(1);
    private static readonly Argument Force = new Argument("force", "-f", "yes: also a node that is reachable") { Default = "no" }.OneOf("yes", "no");

    public static Palette Create() => new("cluster", "The cluster: its nodes, and how they go.",
    [
        new("show", "every node with its roles, status and whether this one reaches it", [], "cluster show", Show),
        new("leave", "has a node leave in order: its runs move first, then its process ends", [CommonArguments.Node, Within], "cluster leave -n two", Leave),
        new("down", "has the cluster go on without a node that is out of reach, as if it had died", [CommonArguments.Node, Force], "cluster down -n two", Down),
    ]);

    private static async IAsyncEnumerable<AnswerLine> Show(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var nodes = await cluster.NodesAsync(cancellation);
        yield return new ColumnsLine(["node", "address", "status", "reachable", "answers", "roles"]);
        foreach (var (node, status, _) in nodes)
            yield return new RowLine(
            [
                node.Self ? $"{node.Name} (asked)" : node.Name, node.Address, node.Status, node.Reachable ? "yes" : "no", status is null ? "no" : "yes", string.Join(' ', node.Roles),
            ]);
    }

    private static async IAsyncEnumerable<AnswerLine> Leave(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var node = Known.OfNode(arguments.Text("node"), cluster.Members);
        if (!cluster.Members.First(m => m.Name == node).Reachable)
            throw new CommandFailedException($"node {node} is out of reach and cannot leave in order; 'cluster down -n {node}' has the cluster go on without it");
        if (cluster.Members.Count == 1)
            throw new CommandFailedException($"node {node} is the only one: nothing could go on elsewhere. SIGTERM ends its process, its runs go on when it is started again");
        yield return new TextLine($"node {node} grants nothing more; its runs move, each after a checkpoint");
        if (!await cluster.DrainAsync(node, TimeSpan.FromSeconds(arguments.Number("within")!.Value), cancellation))
            yield return new TextLine($"not everything moved within {arguments["within"]} s; those runs go on from their last checkpoints");
        await cluster.LeaveAsync(node);
        yield return new TextLine($"node {node} leaves; 'cluster show' on another node tells when it is gone");
    }

    private static async IAsyncEnumerable<AnswerLine> Down(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var node = Known.OfNode(arguments.Text("node"), cluster.Members);
        var member = cluster.Members.First(m => m.Name == node);
        if (member.Self) throw new CommandFailedException($"node {node} is the one that you ask; ask another one, or 'cluster leave -n {node}'");
        if (member.Reachable && arguments["force"] != "yes")
            throw new CommandFailedException($"node {node} is reachable and may be at work; 'cluster leave -n {node}' has it leave in order, 'cluster down -n {node} -f yes' downs it all the same");
        await cluster.DownAsync(node);
        yield return new TextLine($"the cluster goes on without node {node}; if its process is alive it ends");
    }
}
