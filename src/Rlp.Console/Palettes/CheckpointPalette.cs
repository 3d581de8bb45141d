using System.Runtime.CompilerServices;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles.Palettes;

internal static class CheckpointPalette
{
    private static readonly Argument Step = new Argument("step", "-n", "only that of this step").Whole(0);
    private static readonly Argument Keep = new Argument("keep", "-k", "how many of the newest of each stage stay") { Default = "1" }.Whole(1);

    public static Palette Create() => new("checkpoint", "Checkpoints: what a run can go on from, as this node's storage holds it.",
    [
        new("list", "the checkpoints of a run, which of them are still there, and their size", [CommonArguments.Run], "checkpoint list -r arithmetic-1", List),
        new("verify", "reads every file of a run's checkpoints and compares it with the digests of manifest and journal", [CommonArguments.Run, CommonArguments.Stage, Step],
            "checkpoint verify -r arithmetic-1 -s rlp", Verify),
        new("prune", "deletes a stopped run's checkpoints but the newest of each stage, and what was never finished", [CommonArguments.Run, Keep], "checkpoint prune -r arithmetic-1 -k 1", Prune),
    ]);

    private static async IAsyncEnumerable<AnswerLine> List(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        yield return new ColumnsLine(["stage", "step", "size", "manifest sha256", "path"]);
        foreach (var (checkpoint, bytes) in cluster.Checkpoints(id))
            yield return new RowLine([checkpoint.Stage, Texts.Of(checkpoint.Step), bytes is { } size ? Texts.Bytes(size) : "pruned", checkpoint.Sha256, checkpoint.Path]);
    }

    private static async IAsyncEnumerable<AnswerLine> Verify(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var stage = Known.OfStage(arguments["stage"], id, cluster.State(id));
        var step = arguments.Number("step");
        var chosen = cluster.Checkpoints(id).Where(c => (stage is null || c.Checkpoint.Stage == stage) && (step is null || c.Checkpoint.Step == step)).ToArray();
        var kept = chosen.Where(c => c.Bytes is not null).ToArray();
        if (kept.Length == 0)
            throw new CommandFailedException(chosen.Length == 0 ? $"run '{id}' has no such checkpoint; 'checkpoint list -r {id}' shows them" : $"what run '{id}' had of these is pruned");
        var damaged = 0;
        yield return new ColumnsLine(["stage", "step", "verdict"], Streams: true);
        foreach (var (checkpoint, _) in kept)
        {
            cancellation.ThrowIfCancellationRequested();
            var damage = await Task.Run(() => cluster.DamageOf(id, checkpoint), cancellation);
            if (damage is not null) damaged++;
            yield return new RowLine([checkpoint.Stage, Texts.Of(checkpoint.Step), damage ?? "whole"]);
        }
        if (damaged > 0) throw new CommandFailedException($"{damaged} of {kept.Length} checkpoints are damaged; the run passes over them where it has another one");
    }

    private static async IAsyncEnumerable<AnswerLine> Prune(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        if (cluster.State(id).Status == RunStatus.Running)
            throw new CommandFailedException($"run '{id}' is running and prunes its checkpoints itself; 'run pause -r {id}' stops it");
        var before = cluster.Checkpoints(id).Sum(c => c.Bytes ?? 0);
        foreach (var done in cluster.Prune(id, (int)Math.Min(int.MaxValue, arguments.Number("keep")!.Value))) yield return new TextLine(done);
        yield return new TextLine($"{Texts.Bytes(Math.Max(0, before - cluster.Checkpoints(id).Sum(c => c.Bytes ?? 0)))} are free again");
    }
}
