using System.Text.Json;
using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

/// <summary>
/// Ids and texts by Hugging Face's tokenizers 0.22.2 (shared/oracles/README.md) on published vocabularies. RLP_TOKENIZERS names the folder
/// that holds qwen3/tokenizer.json and llama3/tokenizer.json; .ci/run fills one.
/// </summary>
public sealed class TokenizerOracleTests
{
    [Theory]
    [InlineData("qwen3", "<think>", "</think>", 151_669)]
    [InlineData("llama3", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", 128_256)]
    public void Published_vocabularies_give_the_ids_and_texts_of_the_reference_library(string name, string begin, string end, int size)
    {
        var (folder, oracle) = Files(name);
        var tokenizer = TokenizerFolder.Open(folder, begin, end).Tokenizer;
        Assert.Equal(size, tokenizer.VocabularySize);
        var wrong = new List<string>();
        var rows = 0;
        foreach (var line in File.ReadLines(oracle))
        {
            using var row = JsonDocument.Parse(line);
            var text = row.RootElement.GetProperty("text").GetString()!;
            int[] expected = [.. row.RootElement.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
            var decoder = new StreamingDecoder(tokenizer);
            var streamed = string.Concat(expected.Select(decoder.Next)) + decoder.Flush();
            if (!tokenizer.Encode(text).SequenceEqual(expected)) wrong.Add($"ids of {JsonSerializer.Serialize(text)}");
            if (tokenizer.Decode(expected) != row.RootElement.GetProperty("decoded").GetString())
                wrong.Add($"text of {string.Join(' ', expected)}");
            if (streamed != tokenizer.Decode(expected)) wrong.Add($"streamed text of {string.Join(' ', expected)}");
            rows++;
        }
        Assert.Empty(wrong);
        Assert.Equal(120, rows);
    }

    [Fact]
    public void Qwen3_pads_and_ends_with_its_own_tokens()
    {
        var tokenizer = TokenizerFolder.Open(Files("qwen3").Folder, "<think>", "</think>").Tokenizer;
        Assert.Equal((151_667, 151_668, 151_643), (tokenizer.BeginThought, tokenizer.EndThought, tokenizer.Padding));
        Assert.Equal([151_645], tokenizer.EndOfText);
        Assert.Null(tokenizer.BeginOfText);
    }

    [Fact]
    public void Llama3_thinks_between_its_last_reserved_tokens()
    {
        var tokenizer = TokenizerFolder.Open(Files("llama3").Folder, "<think>", "</think>").Tokenizer;
        Assert.Equal(128_000 + 254, tokenizer.BeginThought); // <|reserved_special_token_249|>
        Assert.Equal(128_000 + 255, tokenizer.EndThought);
        Assert.Equal([tokenizer.BeginThought, 72, tokenizer.EndThought], tokenizer.Encode("<think>i</think>"));
    }

    private static (string Folder, string Oracle) Files(string name)
    {
        var folder = Environment.GetEnvironmentVariable("RLP_TOKENIZERS");
        Assert.SkipWhen(
            string.IsNullOrEmpty(folder),
            "RLP_TOKENIZERS is not set; it names a folder with qwen3/tokenizer.json and llama3/tokenizer.json");
        Assert.SkipUnless(File.Exists(Path.Combine(folder!, name, "tokenizer.json")), $"{folder} has no {name}/tokenizer.json");
        for (var parent = new DirectoryInfo(AppContext.BaseDirectory); parent is not null; parent = parent.Parent)
        {
            var oracle = Path.Combine(parent.FullName, "shared", "oracles", "tokenizers", $"{name}.jsonl");
            if (File.Exists(oracle)) return (Path.Combine(folder!, name), oracle);
        }
        Assert.Skip($"shared/oracles/tokenizers/{name}.jsonl is not beside this checkout");
        return default;
    }
}
