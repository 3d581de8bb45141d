using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

/// <summary>Expected texts follow Unicode Standard Annex 15, or the reference library where the comment says so.</summary>
public sealed class CanonicalCompositionTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "\u00e9")]
    [InlineData("xe\u0301e\u0301y", "x\u00e9\u00e9y")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")] // marks move into canonical order
    [InlineData("\u1e0b\u0323", "\u1e0d\u0307")] // a composed letter comes apart for a mark that belongs first
    [InlineData("\u212b \u2126 \u2001", "\u00c5 \u03a9 \u2003")] // singletons
    [InlineData("\u0958 \uf900 \ufb1f", "\u0915\u093c \u8c48 \u05f2\u05b7")] // composition exclusions
    [InlineData("\u1100\u1161\u11a8\uac00\u11a8", "\uac01\uac01")] // Hangul
    [InlineData("\u3046\u3099", "\u3094")]
    [InlineData("\u0301e", "\u0301e")] // a mark without a base
    [InlineData("\U00011099\U000110ba", "\U0001109a")] // a base outside the basic plane
    [InlineData("🙂\u0301", "🙂\u0301")]
    [InlineData("\U0001d15e", "\U0001d157\U0001d165")]
    [InlineData("e\u1abf\u0301", "e\u1abf\u0301")] // reference library: U+1ABF is newer than its tables and inert
    [InlineData("\U000105d2\u0307", "\U000105d2\u0307")] // likewise
    public void Texts_come_out_composed(string text, string composed)
    {
        Assert.Equal(composed, CanonicalComposition.Normalize(text));
        Assert.Equal($"x{composed}y", CanonicalComposition.Normalize($"x{text}y"));
        Assert.Equal(composed, CanonicalComposition.Normalize(composed));
    }

    [Fact]
    public void A_text_in_form_C_is_returned_as_it_is()
    {
        const string text = "Größe, 日本語, 각, 🙂, Việt";
        Assert.Same(text, CanonicalComposition.Normalize(text));
    }
}
