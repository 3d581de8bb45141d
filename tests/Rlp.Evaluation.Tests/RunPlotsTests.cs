using SkiaSharp;

namespace Rlp.Evaluation.Tests;

public sealed class RunPlotsTests
{
    [Fact]
    public void The_four_files_are_PNG_pictures_of_900_by_500()
    {
        var folder = Directory.CreateTempSubdirectory("rlp-plots-");
        try
        {
            RunPlots.Write(folder.FullName, SampleRun.Series, SampleRun.Report);
            Assert.Equal(
                ["accuracy.png", "info_gain.png", "loss.png", "thought_length.png"],
                folder.GetFiles().Select(f => f.Name).Order());
            foreach (var file in folder.GetFiles())
            {
                using var picture = SKBitmap.Decode(file.FullName);
                Assert.Equal((900, 500), (picture.Width, picture.Height));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Titles_labels_and_ticks_are_drawn_with_letters()
    {
        foreach (var (name, png) in RunPlots.Render(SampleRun.Series, SampleRun.Report, PlotTheme.Light, PlotSize.File))
        {
            using var picture = SKBitmap.Decode(png);
            Assert.True(Ink(picture, 100, 5, 800, 35) > 200, $"{name} has no title");
            Assert.True(Ink(picture, 0, 60, 20, 340) > 50, $"{name} has no label at its left axis");
            Assert.True(Ink(picture, 60, 430, 850, 495) > 100, $"{name} has no legend");
        }
    }

    [Fact]
    public void Labels_of_different_letters_are_different_pictures_so_none_is_a_row_of_boxes()
    {
        InterFont.Install();
        Assert.NotEqual(Glyphs("step"), Glyphs("loss"));
        Assert.Equal(Glyphs("step"), Glyphs("step"));
    }

    [Fact]
    public void The_baselines_and_the_colours_of_the_stages_are_in_the_accuracy_plot()
    {
        var with = RunPlots.Render(SampleRun.Series, SampleRun.Report, PlotTheme.Light, PlotSize.File)[RunPlots.AccuracyFile];
        var without = RunPlots.Render(SampleRun.Series, null, PlotTheme.Light, PlotSize.File)[RunPlots.AccuracyFile];
        foreach (var colour in new[] { PlotTheme.Light.Cpt, PlotTheme.Light.CptThoughts })
        {
            Assert.True(Pixels(with, colour) > 300);
            Assert.Equal(0, Pixels(without, colour));
        }
        Assert.True(Pixels(without, PlotTheme.Light.Rlp) > 300);
    }

    [Fact]
    public void A_run_without_any_points_or_with_broken_ones_still_has_its_pictures()
    {
        Assert.Equal(4, RunPlots.Render([], null, PlotTheme.Dark, PlotSize.Page).Count);
        var broken = SampleRun.Series.Select(p => p with { Value = p.Step % 2 == 0 ? double.NaN : p.Value }).ToArray();
        Assert.Equal(4, RunPlots.Render(broken, SampleRun.Report, PlotTheme.Light, PlotSize.File).Count);
        var nothing = SampleRun.Series.Select(p => p with { Value = double.NaN }).ToArray();
        Assert.Equal(4, RunPlots.Render(nothing, SampleRun.Report, PlotTheme.Light, PlotSize.File).Count);
    }

    [Fact]
    public void Both_panels_of_the_loss_are_drawn_in_a_picture_of_double_density()
    {
        using var picture = SKBitmap.Decode(RunPlots.Render(SampleRun.Series, null, PlotTheme.Light, PlotSize.Page)[RunPlots.LossFile]);
        Assert.Equal((1120, 760), (picture.Width, picture.Height));
        Assert.True(Ink(picture, 0, 0, 560, 760) > 2000);
        Assert.True(Ink(picture, 560, 0, 1120, 760) > 2000);
    }

    private static int Ink(SKBitmap picture, int left, int top, int right, int bottom)
    {
        var ink = 0;
        for (var y = top; y < bottom; y++)
            for (var x = left; x < right; x++)
                if (picture.GetPixel(x, y) is { Red: < 140, Green: < 140, Blue: < 160 }) ink++;
        return ink;
    }

    private static string Glyphs(string text)
    {
        var typeface = ScottPlot.Fonts.GetTypeface("anything", bold: false, italic: false);
        using var font = new SKFont(typeface, 20);
        using var bitmap = new SKBitmap(80, 30);
        using var canvas = new SKCanvas(bitmap);
        canvas.DrawText(text, 2, 22, font, new SKPaint { Color = SKColors.Black });
        return Convert.ToBase64String(bitmap.Bytes);
    }

    /// <summary>Pixels of about that colour: lines are drawn with soft edges.</summary>
    private static int Pixels(byte[] png, ScottPlot.Color colour)
    {
        using var picture = SKBitmap.Decode(png);
        return picture.Pixels.Count(p => Math.Abs(p.Red - colour.R) + Math.Abs(p.Green - colour.G) + Math.Abs(p.Blue - colour.B) < 90);
    }
}
