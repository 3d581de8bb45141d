using Rlp.Training.Metrics;

namespace Rlp.Evaluation;

/// <summary>The four pictures of a run: information gain, accuracy, thought length and loss over steps.</summary>
public static class RunPlots
{
    public const string InfoGainFile = "info_gain.png";
    public const string AccuracyFile = "accuracy.png";
    public const string ThoughtLengthFile = "thought_length.png";
    public const string LossFile = "loss.png";

    /// <summary>The baselines of the accuracy plot, in the order of the comparison.</summary>
    private static readonly string[] Baselines = ["base", "cpt", "cpt_thoughts"];

    /// <summary>Writes the four PNG files into the folder.</summary>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="series">All points of the run.</param>
    /// <param name="report">Gives the accuracy plot its baselines; null while there is no comparison yet.</param>
    public static void Write(string folder, IReadOnlyList<MetricPoint> series, RunReport? report)
    {
        foreach (var (file, png) in Render(series, report, PlotTheme.Light, PlotSize.File))
            AtomicFile.Write(Path.Combine(folder, file), stream => stream.Write(png));
    }

    /// <summary>The four pictures by file name, as PNG.</summary>
    public static IReadOnlyDictionary<string, byte[]> Render(
        IReadOnlyList<MetricPoint> series, RunReport? report, PlotTheme theme, PlotSize size)
    {
        InterFont.Install();
        var gain = new StepPlot("Information gain", "step", "information gain (nats)", theme);
        foreach (var stage in Stages(series, MetricNames.InfoGain)) gain.AddSmoothed(stage, Points(series, stage, MetricNames.InfoGain));

        var length = new StepPlot("Thought length", "step", "mean thought length (tokens)", theme);
        var longest = 1.0;
        foreach (var stage in Stages(series, MetricNames.MeanLength))
        {
            var points = Points(series, stage, MetricNames.MeanLength);
            longest = points.Select(p => p.Value).Append(longest).Max();
            length.AddSmoothed(stage, points);
        }
        // From zero: thoughts that shrink to nothing must look like it, and noise must look small.
        length.FixHeight(0, 1.1 * longest);

        return new Dictionary<string, byte[]>
        {
            [InfoGainFile] = gain.Png(size),
            [AccuracyFile] = Accuracy(series, report, theme).Png(size),
            [ThoughtLengthFile] = length.Png(size),
            [LossFile] = Loss(series, theme, size),
        };
    }

    private static StepPlot Accuracy(IReadOnlyList<MetricPoint> series, RunReport? report, PlotTheme theme)
    {
        var plot = new StepPlot("Accuracy on held-out problems", "RLP step", "accuracy", theme);
        foreach (var stage in RlpStages(series))
        {
            var (title, color) = (StageReport.TitleOf(stage), theme.Of(stage));
            plot.AddMeasured($"{title}, thinking", color, solid: true, Points(series, stage, MetricNames.EvalThinkAccuracy));
            plot.AddMeasured($"{title}, not thinking", color, solid: false, Points(series, stage, MetricNames.EvalNothinkAccuracy));
        }
        foreach (var id in Baselines)
        {
            if (report?.Stage(id) is not { } stage) continue;
            // A baseline is held to the better of its two ways to answer: a model that was never taught to think is not marked down for it.
            var thinks = !(stage.NothinkAccuracy > stage.ThinkAccuracy);
            var (way, accuracy) = thinks ? ("thinking", stage.ThinkAccuracy) : ("not thinking", stage.NothinkAccuracy);
            plot.AddLevel($"{stage.Title}, {way}", theme.Of(id), accuracy);
        }
        plot.FixHeight(0, 1.02);
        return plot;
    }

    /// <summary>
    /// A cross-entropy of nats and a surrogate around zero share no axis, so each kind has a panel where the run has both.
    /// </summary>
    private static byte[] Loss(IReadOnlyList<MetricPoint> series, PlotTheme theme, PlotSize size)
    {
        var rlpStages = RlpStages(series).ToHashSet();
        var stages = Stages(series, MetricNames.Loss);
        var panels = new List<StepPlot>();
        foreach (var (title, label, ids) in new[]
        {
            ("Next-token loss", "cross-entropy (nats per token)", stages.Where(s => !rlpStages.Contains(s)).ToArray()),
            ("RLP loss", "clipped surrogate", stages.Where(rlpStages.Contains).ToArray()),
        })
        {
            if (ids.Length == 0) continue;
            var panel = new StepPlot(title, "step", label, theme);
            foreach (var id in ids) panel.AddSmoothed(id, Points(series, id, MetricNames.Loss));
            panels.Add(panel);
        }
        return panels.Count == 0 ? new StepPlot("Loss", "step", "loss", theme).Png(size) : StepPlot.Png(panels, size);
    }

    private static IEnumerable<string> RlpStages(IReadOnlyList<MetricPoint> series) => Stages(series, MetricNames.InfoGain);

    private static IReadOnlyList<string> Stages(IReadOnlyList<MetricPoint> series, string metric) =>
        [.. series.Where(p => p.Name == metric).Select(p => p.Stage).Distinct()];

    private static (double Step, double Value)[] Points(IReadOnlyList<MetricPoint> series, string stage, string metric) =>
    [
        .. series.Where(p => p.Name == metric && p.Stage == stage && double.IsFinite(p.Value))
            .OrderBy(p => p.Step)
            .Select(p => ((double)p.Step, p.Value))
    ];
}
