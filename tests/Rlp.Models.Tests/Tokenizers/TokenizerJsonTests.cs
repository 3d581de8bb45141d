using System.Text.Json.Nodes;
using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

/// <summary>What a tokenizer.json may not ask for.</summary>
public sealed class TokenizerJsonTests
{
    [Theory]
    [InlineData("normalizer", """{"type":"Lowercase"}""", "normalizer 'Lowercase'", "NFC")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"NFKC"}]}""", "normalizer 'NFKC'", "NFC")]
    [InlineData("normalizer", """{"type":"NFC","form":"D"}""", "the key 'form' of normalizer NFC", "type")]
    [InlineData("pre_tokenizer", """{"type":"Whitespace"}""", "pre_tokenizer 'Whitespace'", "ByteLevel")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"_","prepend_scheme":"always"}""", "pre_tokenizer 'Metaspace'", "ByteLevel")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true}]}""", "a pre_tokenizer without ByteLevel", "ByteLevel")]
    [InlineData("pre_tokenizer", "null", "a file without pre_tokenizer", "ByteLevel")]
    [InlineData("decoder", """{"type":"WordPiece","prefix":"##","cleanup":true}""", "decoder 'WordPiece'", "ByteLevel")]
    [InlineData("decoder", "null", "decoder 'null'", "ByteLevel")]
    [InlineData("post_processor", """{"type":"RobertaProcessing","sep":["a",1],"cls":["b",2]}""", "post_processor 'RobertaProcessing'", "TemplateProcessing")]
    [InlineData("truncation", """{"max_length":512}""", "the section 'truncation'", "null")]
    [InlineData("padding", """{"strategy":"BatchLongest"}""", "the section 'padding'", "null")]
    [InlineData("version", "\"2.0\"", "version \"2.0\"", "1.0")]
    [InlineData("surprise", "1", "the key 'surprise' of the file", "model")]
    public void A_component_that_is_not_implemented_is_refused_by_name(string section, string value, string named, string supported)
    {
        using var fixture = new TokenizerFixture().Thinking();
        fixture.Root[section] = JsonNode.Parse(value);
        var message = Assert.Throws<ModelFormatException>(() => fixture.Open()).Message;
        Assert.Contains($"tokenizer.json: {named}", message);
        Assert.Contains(supported, message[message.IndexOf("supported: ", StringComparison.Ordinal)..]);
    }

    [Theory]
    [InlineData("type", "\"Unigram\"", "model 'Unigram'")]
    [InlineData("dropout", "0.1", "dropout 0.1")]
    [InlineData("byte_fallback", "true", "byte_fallback true")]
    [InlineData("continuing_subword_prefix", "\"##\"", "continuing_subword_prefix '##'")]
    [InlineData("end_of_word_suffix", "\"</w>\"", "end_of_word_suffix '</w>'")]
    [InlineData("surprise", "1", "the key 'surprise' of model")]
    public void A_model_that_is_not_implemented_is_refused_by_name(string key, string value, string named)
    {
        using var fixture = new TokenizerFixture().Thinking();
        fixture.Model[key] = JsonNode.Parse(value);
        Assert.Contains($"tokenizer.json: {named} is not supported", Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Theory]
    [InlineData("dropout", "0")]
    [InlineData("continuing_subword_prefix", "\"\"")]
    [InlineData("unk_token", "\"h\"")] // never needed: every byte is an entry
    public void Values_that_change_nothing_are_accepted(string key, string value)
    {
        using var fixture = new TokenizerFixture().Thinking();
        fixture.Model[key] = JsonNode.Parse(value);
        Assert.Equal(['h', 'i'], fixture.Open().Encode("hi"));
    }

    [Fact]
    public void An_unknown_token_that_could_occur_is_refused()
    {
        using var fixture = new TokenizerFixture().WithoutByte((byte)'x').Thinking();
        fixture.Model["unk_token"] = "h";
        Assert.Contains(
            "unk_token 'h' in a vocabulary without the byte 0x78", Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Theory]
    [InlineData("MergedWithPrevious")]
    [InlineData("MergedWithNext")]
    [InlineData("Contiguous")]
    public void A_behavior_of_splits_that_is_not_implemented_is_refused(string behavior)
    {
        using var fixture = new TokenizerFixture
        {
            PreTokenizer = TokenizerFixture.Sequence(TokenizerFixture.Split("x", behavior), TokenizerFixture.ByteLevel()),
        }.Thinking();
        Assert.Contains(
            $"the behavior '{behavior}' of pre_tokenizer Split is not supported; supported: Isolated, Removed",
            Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Fact]
    public void A_step_after_ByteLevel_is_refused()
    {
        using var fixture = new TokenizerFixture
        {
            PreTokenizer = TokenizerFixture.Sequence(TokenizerFixture.ByteLevel(), TokenizerFixture.Split("x")),
        }.Thinking();
        Assert.Contains("pre_tokenizer 'Split' after ByteLevel", Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Theory]
    [InlineData("""["h e l"]""", "merge 1 is \"h e l\"")]
    [InlineData("""[["h"]]""", "merge 1 is [\"h\"]")]
    [InlineData("""["h e"]""", "needs 'he', which is not in the vocabulary")]
    public void A_merge_that_is_none_is_named(string merges, string named)
    {
        using var fixture = new TokenizerFixture().Thinking();
        fixture.Model["merges"] = JsonNode.Parse(merges);
        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Theory]
    [InlineData("{}", "the vocabulary is empty")]
    [InlineData("""{"a":0,"b":0}""", "'a' and 'b' both have the id 0")]
    [InlineData("""{"a":-1}""", "vocabulary entry 'a' has the id -1")]
    [InlineData("""{"a":2000000000}""", "vocabulary entry 'a' has the id 2000000000")]
    [InlineData("[]", "not a tokenizer.json")]
    public void A_damaged_vocabulary_is_refused(string vocabulary, string named)
    {
        using var fixture = new TokenizerFixture();
        fixture.Model["vocab"] = JsonNode.Parse(vocabulary);
        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Fact]
    public void A_truncated_file_is_refused()
    {
        using var fixture = new TokenizerFixture().Thinking();
        var json = File.ReadAllText(Path.Combine(fixture.Write(), "tokenizer.json"));
        fixture.Write("tokenizer.json", json[..(json.Length / 2)]);
        Assert.Contains(
            "not a tokenizer.json",
            Assert.Throws<ModelFormatException>(() => TokenizerFolder.Open(fixture.Directory, "<think>", "</think>")).Message);
    }

    [Fact]
    public void An_added_token_out_of_order_is_refused()
    {
        using var fixture = new TokenizerFixture().Thinking().Added("<late>", id: 300);
        Assert.Contains(
            "added token '<late>' has the id 300, but its place gives 258",
            Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);
    }

    [Fact]
    public void The_template_of_a_post_processor_tells_the_begin_of_texts_but_adds_nothing()
    {
        using var fixture = new TokenizerFixture().Thinking().Added("<s>");
        fixture.Root["post_processor"] = Template("""[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}]""");
        var tokenizer = fixture.Open();
        Assert.Equal(258, tokenizer.BeginOfText);
        Assert.Equal(['h', 'i'], tokenizer.Encode("hi"));

        fixture.Root["post_processor"] = Template("""[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":0}}]""");
        Assert.Contains("the template [", Assert.Throws<ModelFormatException>(() => fixture.Open()).Message);

        static JsonNode Template(string single) => JsonNode.Parse("""
            {"type":"Sequence","processors":[
              {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},
              {"type":"TemplateProcessing","single":SINGLE,"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[258],"tokens":["<s>"]}}}]}
            """.Replace("SINGLE", single, StringComparison.Ordinal))!;
    }
}
