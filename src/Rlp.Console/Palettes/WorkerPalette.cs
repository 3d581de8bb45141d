using System.Runtime.CompilerServices;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles.Palettes;

internal static class WorkerPalette
{
    private static readonly Argument Within = new Argument("within", "-t", "seconds to wait for the runs to move") { Default = "120" }.Whole(1);

    public static Palette Create() => new("worker", "Workers: the engines' fronts on every node, five roles.",
    [
        new("list", "what every worker of every node does, and for how long", [CommonArguments.Node with { Mandatory = false, Description = "only of this node" }], "worker list", List),
        new("show", "one worker and what its node has granted", [CommonArguments.Node, CommonArguments.Worker], "worker show -n one -w learner", Show),
        new("restart", "ends what a worker's engines are at, as a failure would; their runs open them again. An idle worker is left as it is", [CommonArguments.Node, CommonArguments.Worker],
            "worker restart -n one -w rollout", Restart),
        new("drain", "has a node's workers take no more runs and moves learners and teachers away, each after a checkpoint; until the node is restarted",
            [CommonArguments.Node, Within], "worker drain -n one", Drain),
    ]);

    private static async IAsyncEnumerable<AnswerLine> List(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var only = arguments["node"] is { } name ? Known.OfNode(name, cluster.Members) : null;
        var nodes = await cluster.NodesAsync(cancellation);
        yield return new ColumnsLine(["node", "worker", "state", "for", "what", "done", "queued"]);
        foreach (var node in nodes.Where(n => only is null || n.Node.Name == only))
            foreach (var role in node.Node.Roles.Where(role => Enum.TryParse<Role>(role, ignoreCase: true, out _)))
                yield return node.Workers.FirstOrDefault(w => w.Role == role) is { } worker
                    ? new RowLine(
                    [
                        node.Node.Name, role, worker.State, Texts.Since(cluster.Now, worker.SinceUnixMilliseconds), Texts.Of(worker.What), Texts.Of(worker.Done), Texts.Of(worker.Queued),
                    ])
                    : new RowLine([node.Node.Name, role, "does not answer", Texts.None, Texts.None, Texts.None, Texts.None]);
    }

    private static async IAsyncEnumerable<AnswerLine> Show(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (node, worker) = await FindAsync(arguments, cluster, cancellation);
        if (worker is null) throw new CommandFailedException($"the {arguments["worker"]} worker of node {node.Node.Name} does not answer; 'cluster show' tells whether the node is reachable");
        yield return new ColumnsLine(["", "value"]);
        yield return new RowLine(["worker", $"{worker.Role} on {node.Node.Name} ({node.Node.Address})"]);
        yield return new RowLine(["state", worker.State]);
        yield return new RowLine(["what", Texts.Of(worker.What)]);
        yield return new RowLine(["for", Texts.Since(cluster.Now, worker.SinceUnixMilliseconds)]);
        yield return new RowLine(["calls done", Texts.Of(worker.Done)]);
        yield return new RowLine(["calls queued", Texts.Of(worker.Queued)]);
        foreach (var lease in node.Status?.Leases ?? []) yield return new RowLine(["lease", $"run '{lease.RunId}': {lease.Cores} cores, {Texts.Bytes(lease.MemoryBytes)} of {lease.Device}"]);
    }

    private static async IAsyncEnumerable<AnswerLine> Restart(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (node, _) = await FindAsync(arguments, cluster, cancellation);
        var role = arguments.Text("worker");
        var status = await cluster.RestartWorkerAsync(node.Node.Name, Enum.Parse<Role>(role, ignoreCase: true), cancellation);
        yield return new TextLine($"the {role} worker of node {node.Node.Name} is {status.State}"
            + (status.What.Length > 0 ? $"; {status.What} is in progress and ends by itself before its engine is closed" : ""));
    }

    private static async IAsyncEnumerable<AnswerLine> Drain(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var node = Known.OfNode(arguments.Text("node"), cluster.Members);
        var within = arguments.Number("within")!.Value;
        yield return new TextLine($"node {node} grants nothing more; its runs move their learners and teachers, each after a checkpoint");
        yield return await cluster.DrainAsync(node, TimeSpan.FromSeconds(within), cancellation)
            ? new TextLine($"node {node} holds no run any more; its lanes go on until it leaves ('cluster leave -n {node}')")
            : throw new CommandFailedException($"node {node} still holds runs after {within} s ('device leases' names them); they move as soon as they can, if another node has room for them");
    }

    private static async Task<(NodeReport Node, WorkerStatus? Worker)> FindAsync(Arguments arguments, IClusterView cluster, CancellationToken cancellation)
    {
        var (name, role) = (Known.OfNode(arguments.Text("node"), cluster.Members), arguments.Text("worker"));
        var node = (await cluster.NodesAsync(cancellation)).First(n => n.Node.Name == name);
        return node.Node.Roles.Contains(role)
            ? (node, node.Workers.FirstOrDefault(w => w.Role == role))
            : throw new CommandFailedException($"node {name} has no {role} worker; its roles are {string.Join(", ", node.Node.Roles)}");
    }
}
