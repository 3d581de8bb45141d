using System.Text.Json;
using Rlp.Models.Tests;

namespace Rlp.Cli.Tests.Commands;

/// <summary>The commands that other programs can check, against what other programs said (shared/oracles/README.md).</summary>
[Collection(RlpCommand.Collection)]
public sealed class ModelOracleTests(ITestOutputHelper output)
{
    public static TheoryData<string> Models =>
    [
        "logprobs/qwen3-untied", "logprobs/qwen3-tied", "logprobs/qwen3-one-kv-head", "logprobs/nemotron-h-mamba", "logprobs/nemotron-h-attention",
        "logprobs/nemotron-h-mamba-mlp", "logprobs/nemotron-h-hybrid", "pretrained/stories260K", "pretrained/babyllama105",
    ];

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Log_probabilities_agree_with_an_independent_program(string name)
    {
        var oracle = Shared(name);
        var expected = await File.ReadAllBytesAsync(Path.Combine(oracle, "logprobs.f32"), TestContext.Current.CancellationToken);
        using var folder = new TemporaryFolder();
        foreach (var mode in new[] { "full", "cached" })
        {
            await RlpCommand.Succeed(
                "model", "logprobs", "--model", oracle, "--ids", Path.Combine(oracle, "ids.txt"), "--out", folder[mode], "--mode", mode);
            var difference = TinyModel.LargestDifference(expected, await File.ReadAllBytesAsync(folder[mode], TestContext.Current.CancellationToken));
            output.WriteLine($"{mode}: {difference:e2}");
            Assert.True(difference <= 1e-4, $"{mode}: {difference:e2}");
        }
    }

    [Theory]
    [InlineData("qwen3")]
    [InlineData("llama3")]
    public async Task Token_ids_and_texts_agree_with_the_reference_library(string name)
    {
        var tokenizer = Environment.GetEnvironmentVariable("RLP_TOKENIZERS");
        Assert.SkipWhen(string.IsNullOrEmpty(tokenizer), "RLP_TOKENIZERS is not set; it names a folder with qwen3/tokenizer.json and llama3/tokenizer.json");
        Assert.SkipUnless(File.Exists(Path.Combine(tokenizer!, name, "tokenizer.json")), $"{tokenizer} has no {name}/tokenizer.json");
        var oracle = Path.Combine(Shared("tokenizers"), $"{name}.jsonl");
        using var folder = new TemporaryFolder();
        await RlpCommand.Succeed("model", "tokenize", "--tokenizer", Path.Combine(tokenizer!, name), "--in", oracle, "--out", folder["out.jsonl"]);
        var (expected, found) = (Rows(oracle), Rows(folder["out.jsonl"]));
        Assert.Equal(120, expected.Count);
        Assert.Equal(expected, found);
    }

    private static List<(string Ids, string? Decoded)> Rows(string file) => [.. File.ReadLines(file).Select(line =>
    {
        var row = JsonDocument.Parse(line).RootElement;
        return (string.Join(' ', row.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())), row.GetProperty("decoded").GetString());
    })];

    private static string Shared(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "oracles", name);
            if (Directory.Exists(candidate)) return candidate;
        }
        Assert.Skip($"no folder above {AppContext.BaseDirectory} holds shared/oracles/{name}");
        return "";
    }
}
