using System.Text;
using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

public sealed class StreamingDecoderTests
{
    private readonly ByteTokenizer tokenizer = new();

    [Fact]
    public void A_character_comes_with_its_last_byte()
    {
        var decoder = new StreamingDecoder(tokenizer);
        Assert.Equal(["a", "", "", "", "🙂", "", "é"], tokenizer.Encode("a🙂é").Select(decoder.Next));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void An_incomplete_character_at_the_end_is_replaced_once_and_forgotten()
    {
        var decoder = new StreamingDecoder(tokenizer);
        Assert.Equal(["", "", ""], new[] { 0xF0, 0x9F, 0x99 }.Select(decoder.Next));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Equal("b", decoder.Next('b'));
    }

    [Fact]
    public void A_marker_in_the_middle_of_a_character_replaces_what_came_of_it()
    {
        var decoder = new StreamingDecoder(tokenizer);
        Assert.Equal(["", "\uFFFD<think>", "\uFFFD"], new[] { 0xC3, tokenizer.BeginThought, 0xA9 }.Select(decoder.Next));
    }

    [Fact]
    public void The_parts_are_the_whole_for_any_bytes()
    {
        // Valid text, damaged by overwriting: every kind of broken sequence occurs.
        var random = new Random(1);
        var replaced = 0;
        for (var run = 0; run < 2000; run++)
        {
            var tokens = tokenizer.Encode("aé日🙂<think>ñ𝔘").ToArray();
            for (var i = random.Next(4); i > 0; i--) tokens[random.Next(tokens.Length)] = random.Next(tokenizer.VocabularySize);
            var decoder = new StreamingDecoder(tokenizer);
            var text = string.Concat(tokens.Select(decoder.Next)) + decoder.Flush();
            Assert.Equal(tokenizer.Decode(tokens), text);
            string[] markers = ["", "<think>", "</think>"]; // padding is no text
            byte[] bytes = [.. tokens.SelectMany(t => t < 256 ? [(byte)t] : Encoding.UTF8.GetBytes(markers[t - 256]))];
            Assert.Equal(Encoding.UTF8.GetString(bytes), text);
            if (text.Contains('\uFFFD')) replaced++;
        }
        Assert.InRange(replaced, 500, 1999);
    }
}
