using System.Runtime.CompilerServices;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles.Palettes;

internal static class LanePalette
{
    public static Palette Create() => new("lane", "Lanes: the slices of a step's groups, and the nodes that sample and score them.",
    [
        new("list", "the lanes of the running runs and the nodes that are at work on them", [CommonArguments.Run with { Mandatory = false, Description = "only of this run" }],
            "lane list", List),
        new("show", "one lane: its groups of the steps in work, and how many of them are accepted", [CommonArguments.Run, CommonArguments.Lane], "lane show -r arithmetic-1 -l 0", Show),
        new("reassign", "has a lane's work done by the workers of another node, until that is gone or the lane moves by itself",
            [CommonArguments.Run, CommonArguments.Lane, CommonArguments.Node with { Mandatory = false, Description = "the node; default: whichever is next" }],
            "lane reassign -r arithmetic-1 -l 0 -n two", Reassign),
    ]);

    private static async IAsyncEnumerable<AnswerLine> List(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        string[] runs = arguments["run"] is { } run
            ? [await cluster.ExistingAsync(run, cancellation)]
            : [.. (await cluster.RunsAsync(cancellation)).Running().Select(r => r.RunId)];
        yield return new ColumnsLine(["run", "stage", "lane", "at work on node"]);
        foreach (var id in runs)
        {
            var view = await cluster.RunAsync(id, cancellation);
            if (cluster.State(id).Stage is not { Completed: false } stage) continue;
            for (var lane = 0; lane < stage.Plan.Lanes; lane++)
                yield return new RowLine(
                [
                    id, stage.Plan.Id, Texts.Of(lane), Texts.Of(string.Join(", ", view.Workers.Where(w => w.Role == "lane" && w.Lane == lane).Select(w => w.Node).Distinct())),
                ]);
        }
    }

    private static async IAsyncEnumerable<AnswerLine> Show(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (id, lane, stage) = await FindAsync(arguments, cluster, cancellation);
        var view = await cluster.RunAsync(id, cancellation);
        var nodes = view.Workers.Where(w => w.Role == "lane" && w.Lane == lane).Select(w => w.Node).Distinct().ToArray();
        yield return new TextLine($"lane {lane} of run '{id}', stage {stage.Plan.Id}: {(nodes.Length == 0 ? "nobody is at work on it now" : $"at work on {string.Join(", ", nodes)}")}");
        yield return new ColumnsLine(["step", "policy version", "groups", "accepted"]);
        foreach (var step in stage.Planned)
            if (step.Plan.Lanes.FirstOrDefault(l => l.Lane == lane) is { } planned)
                yield return new RowLine(
                [
                    Texts.Of(step.Plan.Step), Texts.Of(step.Plan.PolicyVersion), string.Join(' ', planned.Groups), $"{planned.Groups.Count(step.Accepted.ContainsKey)} of {planned.Groups.Length}",
                ]);
    }

    private static async IAsyncEnumerable<AnswerLine> Reassign(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var (id, lane, _) = await FindAsync(arguments, cluster, cancellation);
        var node = arguments["node"] is { } name ? Known.OfNode(name, cluster.Members) : null;
        if (cluster.State(id).Status != RunStatus.Running) throw new CommandFailedException($"run '{id}' is not running, so that no lane of it is at work");
        var moved = await cluster.ReassignLaneAsync(id, lane, node, cancellation);
        yield return new TextLine($"lane {lane} of run '{id}' is worked on by {moved.To}, no longer by {moved.From}");
    }

    private static async Task<(string RunId, int Lane, StageState Stage)> FindAsync(Arguments arguments, IClusterView cluster, CancellationToken cancellation)
    {
        var (id, lane) = (await cluster.ExistingAsync(arguments.Text("run"), cancellation), arguments.Number("lane")!.Value);
        if (cluster.State(id).Stage is not { Plan.Lanes: > 0, Completed: false } stage)
            throw new CommandFailedException($"run '{id}' has no lanes now: no RLP stage of it is in work");
        return lane < stage.Plan.Lanes
            ? (id, (int)lane, stage)
            : throw new CommandFailedException($"run '{id}' has no lane {lane}; stage {stage.Plan.Id} has the lanes 0 to {stage.Plan.Lanes - 1}");
    }
}
