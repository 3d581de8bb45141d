using ScottPlot;

namespace Rlp.Evaluation.Tests;

public sealed class InterFontTests
{
    [Theory]
    [InlineData("Inter")]
    [InlineData("Open Sans")]
    [InlineData("no such font")]
    public void Whatever_font_a_plot_asks_for_it_gets_one_with_glyphs_for_ASCII_and_the_signs_of_the_tables(string name)
    {
        InterFont.Install();
        foreach (var bold in new[] { false, true })
        {
            var typeface = Fonts.GetTypeface(name, bold, italic: false);
            Assert.Equal("Inter", typeface.FamilyName);
            for (var c = '!'; c <= '~'; c++) Assert.NotEqual(0, typeface.GetGlyph(c));
            Assert.NotEqual(0, typeface.GetGlyph('±'));
            Assert.NotEqual(0, typeface.GetGlyph('−'));
        }
    }

    [Fact]
    public void A_request_for_bold_gets_another_face_than_one_for_regular()
    {
        InterFont.Install();
        Assert.NotEqual(Fonts.GetTypeface("Inter", false, false).FontWeight, Fonts.GetTypeface("Inter", true, false).FontWeight);
    }
}
