using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

public sealed class TokenizerFolderTests
{
    [Fact]
    public void A_folder_without_a_tokenizer_is_refused_with_what_was_looked_for_and_what_is_there()
    {
        using var fixture = new TokenizerFixture();
        fixture.Write("tokenizer.model", "");
        var message = Assert.Throws<ModelFormatException>(() => TokenizerFolder.Open(fixture.Directory, "<think>", "</think>")).Message;
        Assert.Contains(
            "looked for tokenizer.json, tokenizer.bin, tok*.bin, tokenizer.vocab and tok*.vocab, found tokenizer.model", message);
        Assert.Contains(
            "does not exist", Assert.Throws<ModelFormatException>(() => TokenizerFolder.Open("/nowhere", "<think>", "</think>")).Message);
        fixture.Write("tok1.bin", "");
        fixture.Write("tok2.bin", "");
        Assert.Contains(
            "tok1.bin and tok2.bin could both be the tokenizer",
            Assert.Throws<ModelFormatException>(() => TokenizerFolder.Open(fixture.Directory, "<think>", "</think>")).Message);
    }

    [Fact]
    public void The_json_file_is_preferred_and_named()
    {
        using var fixture = new TokenizerFixture().Thinking();
        fixture.Write("tok512.bin", "");
        Assert.Equal(Path.Combine(fixture.Directory, "tokenizer.json"), TokenizerFolder.Open(fixture.Write(), "<think>", "</think>").File);
    }

    [Fact]
    public void Markers_that_are_tokens_are_those_tokens()
    {
        using var fixture = new TokenizerFixture().Merge("h", "e").Added("<|reserved_special_token_0|>").Thinking();
        var tokenizer = fixture.Open();
        Assert.Equal((258, 259), (tokenizer.BeginThought, tokenizer.EndThought));
        var named = fixture.Open("he", "<|reserved_special_token_0|>");
        Assert.Equal((256, 257), (named.BeginThought, named.EndThought));
        Assert.NotEqual(tokenizer.Fingerprint, fixture.Open("he", "</think>").Fingerprint);
    }

    [Theory]
    [InlineData("<|reserved_special_token_0|>", "<|reserved_special_token_9|>", "<|reserved_special_token_10|>")]
    [InlineData("[unused0]", "[unused9]", "[unused10]")]
    [InlineData("<unused0>", "<unused9>", "<unused10>")]
    [InlineData("<SPECIAL_0>", "<SPECIAL_9>", "<SPECIAL_10>")]
    [InlineData("<|extra_0|>", "<|extra_9|>", "<|extra_10|>")]
    [InlineData(">>UNUSED_0<<", ">>UNUSED_9<<", ">>UNUSED_10<<")]
    public void Markers_that_are_no_tokens_take_the_spare_tokens_of_the_highest_numbers(string first, string second, string third)
    {
        using var fixture = new TokenizerFixture().Added(third).Added(first).Added(second).Added("<|end|>");
        var tokenizer = fixture.Open();
        Assert.Equal((258, 256), (tokenizer.BeginThought, tokenizer.EndThought));
        Assert.Equal(['a', 258, 'b', 256], tokenizer.Encode("a<think>b</think>"));
        Assert.Equal("a<think>b</think>", tokenizer.Decode(['a', 258, 'b', 256]));
    }

    [Fact]
    public void A_vocabulary_without_the_markers_and_without_spare_tokens_is_refused_with_a_way_out()
    {
        using var fixture = new TokenizerFixture().Added("<|im_start|>").Added("<|im_end|>");
        var message = Assert.Throws<ModelFormatException>(() => fixture.Open()).Message;
        Assert.Contains(
            "no token '<think>' and no spare one for it; "
            + "set thought.begin and thought.end to tokens that it has, for example '<|im_start|>' and '<|im_end|>'", message);
        var named = fixture.Open("<|im_start|>", "<|im_end|>");
        Assert.Equal((256, 257), (named.BeginThought, named.EndThought));
        Assert.Contains("two different texts", Assert.Throws<ModelFormatException>(() => fixture.Open("<|im_end|>", "<|im_end|>")).Message);
        Assert.Contains("two different texts", Assert.Throws<ModelFormatException>(() => fixture.Open("", "<|im_end|>")).Message);
    }

    [Fact]
    public void Padding_is_the_pad_token_else_an_end_of_text_else_the_end_marker()
    {
        using var fixture = new TokenizerFixture().Thinking().Added("<s>").Added("</s>").Added("<pad>");
        Assert.Equal(257, fixture.Open().Padding);
        Assert.Empty(fixture.Open().EndOfText);
        Assert.Null(fixture.Open().BeginOfText);

        fixture.Write("special_tokens_map.json", """{"eos_token":{"content":"</s>","lstrip":false},"bos_token":"<s>"}""");
        Assert.Equal(259, fixture.Open().Padding);
        Assert.Equal([259], fixture.Open().EndOfText);
        Assert.Null(fixture.Open().BeginOfText); // there is one, but nothing says that texts begin with it

        fixture.Write("generation_config.json", """{"eos_token_id":[258,259]}""");
        Assert.Equal([258, 259], fixture.Open().EndOfText);
        Assert.Equal(258, fixture.Open().Padding);

        fixture.Write("tokenizer_config.json", """{"pad_token":"<pad>","eos_token":null,"add_bos_token":true}""");
        Assert.Equal(260, fixture.Open().Padding);
        Assert.Equal(258, fixture.Open().BeginOfText);
    }

    [Theory]
    [InlineData("tokenizer_config.json", """{"pad_token":"<gone>"}""", "the pad_token '<gone>'")]
    [InlineData("tokenizer_config.json", """{"eos_token":5}""", "tokenizer_config.json")]
    [InlineData("special_tokens_map.json", "{", "special_tokens_map.json")]
    [InlineData("generation_config.json", """{"eos_token_id":258}""", "eos_token_id of generation_config.json")]
    [InlineData(
        "tokenizer_config.json",
        """{"added_tokens_decoder":{"400":{"content":"<x>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"special":true}}}""",
        "added token '<x>' has the id 400")]
    public void A_file_beside_it_that_does_not_fit_is_named(string file, string content, string named)
    {
        using var fixture = new TokenizerFixture().Thinking();
        fixture.Write(file, content);
        Assert.Contains(named, Assert.ThrowsAny<Exception>(() => fixture.Open()).Message);
    }

    [Fact]
    public void Tokens_that_only_the_configuration_adds_are_found()
    {
        using var fixture = new TokenizerFixture().Thinking();
        var without = fixture.Open().Fingerprint;
        fixture.Write("tokenizer_config.json", """
            {"added_tokens_decoder":{
              "258":{"content":"<call>","lstrip":false,"normalized":false,"rstrip":true,"single_word":false,"special":false},
              "256":{"content":"<think>","lstrip":false,"normalized":false,"rstrip":false,"single_word":false,"special":true}}}
            """);
        var tokenizer = fixture.Open();
        Assert.Equal(['a', 258, 'b', 256], tokenizer.Encode("a<call>  b<think>"));
        Assert.Equal(259, tokenizer.VocabularySize);
        Assert.NotEqual(without, tokenizer.Fingerprint);
    }
}
