using System.Runtime.CompilerServices;
using Rlp.Protocol.Events;

namespace Rlp.Consoles.Palettes;

/// <summary>What the journal knows of each step: the same figures on every node of the cluster.</summary>
internal static class MetricsPalette
{
    private const string StepSeconds = "time/step_s";
    private const string TokensPerSecond = "tokens_per_s";

    private static readonly string[] Watched = ["loss", "reward", "grad_norm", "completions/mean_length", StepSeconds];

    private static readonly Argument Names = new("metric", "-m", "only this metric; 'metrics show' names them") { AllowMultiple = true };

    public static Palette Create() => new("metrics", "Metrics: the figures of a run's steps, by the names of src/README.md.",
    [
        new("show", "every metric: its last value, and mean, least and largest of the last steps",
            [CommonArguments.Run, CommonArguments.Stage, Names, CommonArguments.Last(20, "over how many of the newest steps")], "metrics show -r arithmetic-1 -l 50", Show),
        new("tail", "the newest steps and then each one as it is applied, until Ctrl-C", [CommonArguments.Run, Names, CommonArguments.Last(5, "how many of the newest to begin with")],
            "metrics tail -r arithmetic-1 -m reward -m completions/mean_length", Tail),
    ]);

    private static async IAsyncEnumerable<AnswerLine> Show(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        var stage = Known.OfStage(arguments["stage"] ?? cluster.State(id).Stage?.Plan.Id, id, cluster.State(id));
        var steps = cluster.Events(id).Select(e => e.Event).OfType<StepApplied>().Where(s => s.Stage == stage).TakeLast(Math.Max(1, arguments.Last())).ToArray();
        if (steps.Length == 0) throw new CommandFailedException($"run '{id}' has applied no step of {(stage is null ? "any stage" : $"stage {stage}")} yet");
        var values = steps.Select(Of).ToArray();
        var names = Chosen(arguments, values[^1].Keys);
        yield return new TextLine($"stage {stage}, steps {steps[0].Step} to {steps[^1].Step}");
        yield return new ColumnsLine(["metric", "last", "mean", "least", "largest"]);
        foreach (var name in names)
        {
            var series = values.Where(v => v.ContainsKey(name)).Select(v => v[name]).ToArray();
            yield return new RowLine([name, Texts.Of(series[^1]), Texts.Of(series.Average()), Texts.Of(series.Min()), Texts.Of(series.Max())]);
        }
    }

    private static async IAsyncEnumerable<AnswerLine> Tail(Arguments arguments, IClusterView cluster, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var id = await cluster.ExistingAsync(arguments.Text("run"), cancellation);
        IReadOnlyList<string> names = arguments.All(Names.Name) is { Count: > 0 } asked ? asked : Watched;
        var newest = cluster.Events(id).Where(e => e.Event is StepApplied).TakeLast(Math.Max(1, arguments.Last())).ToArray();
        // Which metrics there are depends on the stage: a name is refused only where a step of the stage at work is there to know by.
        if (newest is [.., { Event: StepApplied last }] && arguments.All(Names.Name).Count > 0) _ = Chosen(arguments, Of(last).Keys);
        yield return new ColumnsLine(["stage", "step", .. names], Streams: true);
        var after = newest.Length == 0 ? 0 : arguments.Last() == 0 ? newest[^1].Number : newest[0].Number - 1;
        await foreach (var e in cluster.FollowAsync(id, after, cancellation))
            if (e.Event is StepApplied applied) yield return Row(applied);

        RowLine Row(StepApplied step)
        {
            var values = Of(step);
            return new([step.Stage, Texts.Of(step.Step), .. names.Select(n => values.TryGetValue(n, out var value) ? Texts.Of(value) : Texts.None)]);
        }
    }

    private static Dictionary<string, double> Of(StepApplied step)
    {
        var values = new Dictionary<string, double>(step.Metrics) { ["loss"] = step.Loss, ["grad_norm"] = step.GradNorm, [StepSeconds] = step.Seconds };
        if (step.RewardMean is { } reward) values["reward"] = reward;
        if (step.Seconds > 0) values[TokensPerSecond] = step.InputTokens / step.Seconds;
        return values;
    }

    private static IReadOnlyList<string> Chosen(Arguments arguments, IEnumerable<string> known)
    {
        var names = known.Order(StringComparer.Ordinal).ToArray();
        var asked = arguments.All(Names.Name);
        return asked.FirstOrDefault(name => !names.Contains(name)) is { } unknown
            ? throw new CommandFailedException($"the last step has no metric '{unknown}'{Known.Names("metric", unknown, names)}")
            : asked.Count > 0 ? asked : names;
    }
}
