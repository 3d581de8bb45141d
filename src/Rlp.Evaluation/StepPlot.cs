using ScottPlot;
using SkiaSharp;

namespace Rlp.Evaluation;

/// <summary>One picture of values over training steps, in the house's look.</summary>
internal sealed class StepPlot
{
    private readonly Plot plot = new();
    private readonly PlotTheme theme;
    private int legendItems;
    private bool hasData;

    public StepPlot(string title, string xLabel, string yLabel, PlotTheme theme)
    {
        this.theme = theme;
        plot.Font.Set("Inter");
        plot.FigureBackground.Color = plot.DataBackground.Color = theme.Background;
        plot.Axes.Color(theme.Text);
        plot.Grid.MajorLineColor = theme.Grid;
        plot.Title(title, size: 17);
        plot.XLabel(xLabel, size: 14);
        plot.YLabel(yLabel, size: 14);
        foreach (var axis in new IAxis[] { plot.Axes.Bottom, plot.Axes.Left })
        {
            axis.TickLabelStyle.FontSize = 13;
            axis.FrameLineStyle.Color = theme.Neutral;
            axis.MajorTickStyle.Color = axis.MinorTickStyle.Color = theme.Neutral;
        }
        plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
        plot.Axes.Right.FrameLineStyle.Width = plot.Axes.Top.FrameLineStyle.Width = 0;
        plot.Legend.BackgroundColor = theme.Background;
        plot.Legend.FontColor = theme.Text;
        plot.Legend.FontSize = 12;
        plot.Legend.OutlineWidth = 0;
        plot.Legend.ShadowColor = Colors.Transparent;
    }

    /// <summary>The raw series faintly and its moving average over it.</summary>
    public void AddSmoothed(string stage, (double Step, double Value)[] points)
    {
        if (points.Length == 0) return;
        var window = MovingAverage.WindowFor(points.Length);
        var (steps, values) = (points.Select(p => p.Step).ToArray(), points.Select(p => p.Value).ToArray());
        var title = StageReport.TitleOf(stage);
        if (window > 1)
        {
            var raw = plot.Add.ScatterLine(steps, values, theme.Of(stage).WithAlpha(.3));
            raw.LineWidth = 1;
        }
        var line = plot.Add.ScatterLine(steps, MovingAverage.Of(values, window), theme.Of(stage));
        line.LineWidth = 2.2f;
        Entitle(line, window > 1 ? $"{title} (mean of {window})" : title);
    }

    /// <summary>Values measured now and then: markers joined by lines.</summary>
    public void AddMeasured(string title, Color color, bool solid, (double Step, double Value)[] points)
    {
        if (points.Length == 0) return;
        var line = plot.Add.Scatter([.. points.Select(p => p.Step)], points.Select(p => p.Value).ToArray(), color);
        line.LineWidth = solid ? 2.2f : 1.6f;
        line.LinePattern = solid ? LinePattern.Solid : LinePattern.Dotted;
        line.MarkerSize = solid ? 7 : 5;
        Entitle(line, title);
    }

    /// <summary>A value that does not change over the steps: a dashed line across the picture.</summary>
    public void AddLevel(string title, Color color, double value)
    {
        if (!double.IsFinite(value)) return;
        var line = plot.Add.HorizontalLine(value, 1.6f, color, LinePattern.Dashed);
        Entitle(line, FormattableString.Invariant($"{title} {value:F3}"));
    }

    public void FixHeight(double bottom, double top) => plot.Axes.SetLimitsY(bottom, top);

    public byte[] Png(PlotSize size) => Png([this], size);

    /// <summary>
    /// The pictures side by side in one. Not ScottPlot's Multiplot, which draws only its first plot at a scale other than 1.
    /// </summary>
    public static byte[] Png(IReadOnlyList<StepPlot> panels, PlotSize size)
    {
        var (width, height) = (size.Width * size.Scale / panels.Count, size.Height * size.Scale);
        using var sheet = new SKBitmap(size.Width * size.Scale, height);
        using var canvas = new SKCanvas(sheet);
        foreach (var (column, panel) in panels.Index())
        {
            using var picture = SKBitmap.Decode(panel.Finished(size.Scale).GetImageBytes(width, height, ImageFormat.Png));
            canvas.DrawBitmap(picture, column * width, 0);
        }
        canvas.Flush();
        using var png = sheet.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    private Plot Finished(int scale)
    {
        plot.ScaleFactor = scale;
        if (!hasData)
        {
            var note = plot.Add.Annotation("no data yet", Alignment.MiddleCenter);
            note.LabelFontSize = 15;
            note.LabelFontColor = theme.Neutral;
            note.LabelBackgroundColor = note.LabelBorderColor = note.LabelShadowColor = Colors.Transparent;
        }
        if (legendItems > 0) plot.ShowLegend(Edge.Bottom);
        return plot;
    }

    private void Entitle(IHasLegendText line, string title)
    {
        line.LegendText = title;
        legendItems++;
        hasData = true;
    }
}
