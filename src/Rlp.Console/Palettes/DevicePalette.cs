using System.Runtime.CompilerServices;

namespace Rlp.Consoles.Palettes;

internal static class DevicePalette
{
    public static Palette Create() => new("device", "Devices: what every node computes on, and who holds it.",
    [
        new("list", "every node's device with its cores and memory, granted and in all", [], "device list", List),
        new("leases", "who holds which part of which device", [CommonArguments.Run with { Mandatory = false, Description = "only of this run" }], "device leases", Leases),
    ]);

    private static async IAsyncEnumerable<AnswerLine> List(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var nodes = await cluster.NodesAsync(cancellation);
        yield return new ColumnsLine(["node", "device", "cores granted", "memory granted", "leases", "state"]);
        foreach (var node in nodes)
            yield return node.Status is { } status
                ? new RowLine(
                [
                    node.Node.Name, Texts.Of(status.Device), $"{status.Leases.Sum(l => l.Cores)} of {status.Cores}",
                    $"{Texts.Bytes(status.Leases.Sum(l => l.MemoryBytes))} of {Texts.Bytes(status.MemoryBytes)}", Texts.Of(status.Leases.Length), status.Draining ? "draining" : "grants",
                ])
                : new RowLine([node.Node.Name, Texts.None, Texts.None, Texts.None, Texts.None, "does not answer"]);
    }

    private static async IAsyncEnumerable<AnswerLine> Leases(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var only = arguments["run"] is { } run ? await cluster.ExistingAsync(run, cancellation) : null;
        var nodes = await cluster.NodesAsync(cancellation);
        yield return new ColumnsLine(["node", "run", "device", "cores", "memory"]);
        foreach (var node in nodes)
            foreach (var lease in (node.Status?.Leases ?? []).Where(l => only is null || l.RunId == only))
                yield return new RowLine([node.Node.Name, lease.RunId, lease.Device, Texts.Of(lease.Cores), Texts.Bytes(lease.MemoryBytes)]);
        if (nodes.Where(n => n.Status is null).Select(n => n.Node.Name).ToArray() is { Length: > 0 } silent)
            yield return new ErrorLine($"not all is known: {string.Join(", ", silent)} did not answer");
    }
}
