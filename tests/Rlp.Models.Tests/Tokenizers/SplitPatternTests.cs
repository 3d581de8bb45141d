using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

/// <summary>
/// The expected pieces are those of the reference library (tokenizers 0.22.2 with Oniguruma 6.9) for the same expression and text.
/// </summary>
public sealed class SplitPatternTests
{
    private const string Qwen =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    [Theory]
    [InlineData("(?i:'s|'t|'re|'k)", "a's'S'ſ'K'K'T'RE", "a|'s|'S|'ſ|'K|'K|'T|'RE")] // long s and Kelvin sign fold to ASCII
    [InlineData("(?i:[sk]x)", "ax ſx Kx Sx", "ax |ſx| |Kx| |Sx")]
    [InlineData(@"\p{N}{1,3}+", "1234567 12", "1234567| |12")] // in Ruby's syntax not possessive but repeated
    [InlineData(@"\p{N}{1,3}", "1234567 12", "123|456|7| |12")]
    [InlineData(@"\p{N}++", "1234567 12", "1234567| |12")]
    [InlineData(@"\s++$|\s", "a  \n b  \nc  ", "a| | |\n| |b| | |\n|c|  ")] // $ also before a newline
    [InlineData("a$", "ba\na ba", "b|a|\na b|a")]
    [InlineData(".", "a\nb𝔘", "a|\n|b|𝔘")]
    [InlineData("[^x]?x*+", "yxxz", "yxx|z")]
    [InlineData(@"\s*", "ab  c", "a|b|  |c")] // empty matches cut, too
    [InlineData("x*", "abxc", "a|b|x|c")]
    [InlineData(@"\u0041\x42", "ABAB", "AB|AB")]
    [InlineData(@"[\u0041-\u0043]+", "ABABD", "ABAB|D")]
    [InlineData(@"\p{^L}+", "ab12", "ab|12")]
    [InlineData(@"\P{L}+", "ab12", "ab|12")]
    [InlineData(@"[\p{Lu}\p{Lt}]+", "ABcd𝔘𝔫", "AB|cd|𝔘|𝔫")]
    [InlineData("[一-龥]+", "a中文𠀀b", "a|中文|𠀀b")] // a letter outside the basic plane stands in for itself only as a category
    [InlineData("a{2,3}?", "aaaaa", "aa|aa|a")]
    [InlineData("(a)(b)", "abab", "ab|ab")]
    [InlineData(Qwen, "I'll pay $1234\r\n\r\n  fürs 𝔘𝔫🙂 x", "I|'ll| pay| $|1|2|3|4|\r\n\r\n| | fürs| 𝔘𝔫|🙂| x")]
    public void Matches_are_Onigurumas(string pattern, string text, string pieces) =>
        Assert.Equal(pieces, string.Join('|', Split(pattern, text)));

    [Theory]
    [InlineData("(?i:ss|x)", "'ss' ignoring case")]
    [InlineData(@"\w+", @"'\w' at character 0")]
    [InlineData(@"a\h", @"'\h' at character 1")]
    [InlineData(@"\p{Han}", "the property 'Han'")]
    [InlineData("[a-c&&b]", "'&' inside a class")]
    [InlineData("[[:alpha:]]", "'[' inside a class")]
    [InlineData("^a", "'^' here")]
    [InlineData("(?<name>a)", "the group '(?<n'")]
    [InlineData("(?m)a", "the group '(?m)'")]
    [InlineData("a{2}?", "'?' after {n}")]
    [InlineData("a**", "a quantifier after a quantifier")]
    [InlineData("(a", "a '(' without its ')'")]
    [InlineData("a)", "an unmatched ')'")]
    [InlineData("[a", "a '[' without its ']'")]
    [InlineData("𝔘", "a character outside the basic plane")]
    [InlineData("(?i:é)", "'é' ignoring case")]
    [InlineData(@"(\s)\1", @"'\1' at character 4")]
    [InlineData("a{,3}", "'{' that opens no")]
    [InlineData("a\\", "a backslash at the end")]
    public void Syntax_that_is_not_supported_is_refused_by_name(string pattern, string named) =>
        Assert.Contains($"somewhere: {named}", Assert.Throws<ModelFormatException>(() => SplitPattern.Parse(pattern, "somewhere")).Message);

    [Fact]
    public void Literal_texts_match_themselves_only() =>
        Assert.Equal(["a", ".*", "b", ".*"], Split(SplitPattern.Literal(".*", ""), "a.*b.*"));

    private static IEnumerable<string> Split(string pattern, string text) => Split(SplitPattern.Parse(pattern, "somewhere"), text);

    private static List<string> Split(SplitPattern pattern, string text)
    {
        var pieces = new Pieces([]);
        pattern.Split(text, ref pieces);
        return pieces.All;
    }

    private readonly struct Pieces(List<string> all) : SplitPattern.IPieces
    {
        public List<string> All => all;

        public void Add(ReadOnlySpan<char> piece, bool isMatch) => all.Add(piece.ToString());
    }
}
