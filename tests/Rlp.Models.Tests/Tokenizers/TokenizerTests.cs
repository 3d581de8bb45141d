using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

public sealed class TokenizerTests
{
    private static readonly CharacterTokenizer Characters = new("0123456789+-=\n");
    private static readonly ByteTokenizer Bytes = new();

    [Fact]
    public void Characters_take_one_token_each_and_a_marker_takes_one()
    {
        Assert.Equal(
            [7, 10, 5, 12, Characters.BeginThought, 2, Characters.EndThought, 2, 13], Characters.Encode("7+5=<think>2</think>2\n"));
        Assert.Equal(17, Characters.VocabularySize);
    }

    [Theory]
    [InlineData("7+5-3=<think>29</think>9\n")]
    [InlineData("")]
    [InlineData("</think><think>")]
    public void Characters_decode_to_the_text(string text) => Assert.Equal(text, Characters.Decode(Characters.Encode(text)));

    [Theory]
    [InlineData("plain")]
    [InlineData("naïve 日本 🙂 <think>überlegt</think> done <thin k>")]
    [InlineData("<think></think>")]
    [InlineData("")]
    public void Bytes_decode_to_the_text(string text) => Assert.Equal(text, Bytes.Decode(Bytes.Encode(text)));

    [Fact]
    public void A_character_outside_the_alphabet_is_named_with_its_place()
    {
        var message = Assert.Throws<FormatException>(() => Characters.Encode("7+x")).Message;
        Assert.Contains("'x' at offset 2", message);
        Assert.Contains("U+0009", Assert.Throws<FormatException>(() => Characters.Encode("\t")).Message);
    }

    [Fact]
    public void An_id_outside_the_vocabulary_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Characters.Decode([17]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Bytes.Decode([-1]));
    }

    [Fact]
    public void Letters_outside_the_basic_plane_are_one_character()
    {
        var tokenizer = new CharacterTokenizer("a🙂");
        Assert.Equal([1, 0, 1], tokenizer.Encode("🙂a🙂"));
        Assert.Equal("🙂a", tokenizer.Decode([1, 0]));
    }

    [Fact]
    public void A_fingerprint_tells_tokenizers_apart()
    {
        string[] fingerprints =
        [
            Characters.Fingerprint, Bytes.Fingerprint, new CharacterTokenizer("0123456789+-=").Fingerprint,
            new CharacterTokenizer("0123456789+-=\n", "<t>").Fingerprint, new ByteTokenizer("<t>").Fingerprint,
        ];
        Assert.Equal(5, fingerprints.Distinct().Count());
        Assert.Equal(Characters.Fingerprint, new CharacterTokenizer("0123456789+-=\n").Fingerprint);
    }

    [Fact]
    public void A_character_twice_in_the_alphabet_is_refused() =>
        Assert.Contains("'a' is in the alphabet twice", Assert.Throws<ArgumentException>(() => new CharacterTokenizer("aba")).Message);
}
