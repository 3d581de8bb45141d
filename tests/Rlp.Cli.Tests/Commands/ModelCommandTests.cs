using System.Text.Json;

namespace Rlp.Cli.Tests.Commands;

[Collection(RlpCommand.Collection)]
public sealed class ModelCommandTests
{
    public static TheoryData<string> Names => [.. TinyModel.Configs.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_row_is_a_distribution_and_the_state_gives_what_one_pass_gives(string name)
    {
        using var model = await TinyModel.Create(name);
        var full = await model.LogProbabilities(model.Model);
        var rows = TinyModel.Numbers(full).Chunk(TinyModel.Vocabulary).ToList();
        Assert.Equal(40, rows.Count);
        Assert.All(rows, row => Assert.Equal(1, row.Sum(x => Math.Exp(x)), 1e-5));
        Assert.True(rows.Max(r => r.Max()) - rows.Min(r => r.Min()) > 0.5, "a model that says nothing proves nothing");
        var difference = TinyModel.LargestDifference(full, await model.LogProbabilities(model.Model, "--mode", "cached"));
        Assert.True(difference <= 1e-5, $"{difference}");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_export_whole_or_in_shards_says_the_same_to_the_last_bit(string name)
    {
        using var model = await TinyModel.Create(name);
        await RlpCommand.Succeed("model", "export", "--model", model.Model, "--out", model["whole"]);
        await RlpCommand.Succeed("model", "export", "--model", model.Model, "--out", model["shards"], "--max-shard-size", "5KB");
        Assert.True(Directory.GetFiles(model["shards"], "model-*-of-*.safetensors").Length > 2);
        var expected = await model.LogProbabilities(model.Model);
        Assert.Equal(expected, await model.LogProbabilities(model["whole"]));
        Assert.Equal(expected, await model.LogProbabilities(model["shards"]));
    }

    [Fact]
    public async Task A_sequence_of_a_thousand_tokens_is_the_same_in_one_pass_and_token_by_token()
    {
        using var model = await TinyModel.Create("nemotron", tokens: 1000);
        var full = await model.LogProbabilities(model.Model);
        Assert.Equal(1000 * TinyModel.Vocabulary * sizeof(float), full.Length);
        var difference = TinyModel.LargestDifference(full, await model.LogProbabilities(model.Model, "--mode", "cached"));
        Assert.True(difference <= 1e-5, $"{difference}");
    }

    [Fact]
    public async Task A_row_does_not_depend_on_what_comes_later()
    {
        using var model = await TinyModel.Create("qwen3");
        var all = TinyModel.Numbers(await model.LogProbabilities(model.Model));
        var ids = (await File.ReadAllTextAsync(model.Ids, TestContext.Current.CancellationToken)).Split('\n');
        await File.WriteAllTextAsync(model.Ids, string.Join('\t', ids.Take(10)), TestContext.Current.CancellationToken);
        var first = TinyModel.Numbers(await model.LogProbabilities(model.Model));
        Assert.Equal(10 * TinyModel.Vocabulary, first.Length);
        Assert.All(first.Zip(all, (prefix, whole) => prefix - whole), difference => Assert.InRange(difference, -1e-5f, 1e-5f));
    }

    [Fact]
    public async Task Half_the_bits_take_half_the_room_and_an_export_keeps_them()
    {
        using var model = await TinyModel.Create("qwen3", "bf16");
        using var wide = await TinyModel.Create("qwen3");
        await RlpCommand.Succeed("model", "export", "--model", model.Model, "--out", model["export"]);
        var exported = await Inspect(model["export"]);
        var total = exported.GetProperty("parameters").GetProperty("total").GetInt64();
        Assert.Equal(total, exported.GetProperty("dtypes").GetProperty("BF16").GetInt64());
        Assert.Equal("bfloat16", JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(model["export"], "config.json"), TestContext.Current.CancellationToken))
            .RootElement.GetProperty("torch_dtype").GetString());
        var expected = await model.LogProbabilities(model.Model);
        Assert.Equal(expected, await model.LogProbabilities(model["export"]));
        var rounded = TinyModel.LargestDifference(expected, await wide.LogProbabilities(wide.Model));
        Assert.InRange(rounded, 1e-6, 0.3); // the same seed, rounded
        Assert.InRange(TinyModel.LargestDifference(expected, await model.LogProbabilities(model.Model, "--dtype", "bf16")), 1e-6, 0.3);
    }

    [Fact]
    public async Task The_policy_of_a_checkpoint_is_exported_as_a_model()
    {
        using var model = await TinyModel.Create("qwen3");
        Directory.CreateDirectory(model["step-00000007"]);
        File.Copy(Path.Combine(model.Model, "config.json"), Path.Combine(model["step-00000007"], "config.json"));
        File.Copy(Path.Combine(model.Model, "model.safetensors"), Path.Combine(model["step-00000007"], "policy.safetensors"));
        var (code, _, error) = await RlpCommand.Run("model", "export", "--model", model["step-00000007"], "--out", model["export"]);
        Assert.Equal(ExitCodes.Done, code);
        Assert.Contains("no tokenizer", error);
        Assert.True(File.Exists(Path.Combine(model["export"], "model.safetensors")));
        Assert.Equal(await model.LogProbabilities(model.Model), await model.LogProbabilities(model["export"]));
    }

    [Fact]
    public async Task Inspect_counts_parameters_and_bytes_as_a_reader_of_the_paper_would()
    {
        using var qwen = await TinyModel.Create("qwen3");
        var seen = await Inspect(qwen.Model, "--batch", "5", "--length", "70", "--dtype", "bf16");
        const long embeddings = 37 * 20, attention = 3 * (((4 + 2 + 2) * 6 * 20) + (20 * 4 * 6)), mlp = 3 * 3 * 28 * 20, norms = (3 * ((2 * 20) + (2 * 6))) + 20;
        Assert.Equal((embeddings, attention, mlp, 0, norms, 0), Parts(seen));
        Assert.Equal("Qwen3ForCausalLM", seen.GetProperty("architecture").GetString());
        Assert.Equal(37, seen.GetProperty("vocabulary").GetProperty("model").GetInt32());
        var memory = seen.GetProperty("memory");
        Assert.Equal(2L * 3 * 5 * 2 * 70 * 6 * 2, memory.GetProperty("cache").GetInt64()); // keys and values, layers, batch, heads, length, width, bytes
        const long total = embeddings + attention + mlp + norms;
        Assert.InRange(memory.GetProperty("weights").GetInt64(), total * 2, (total + (16 * 16)) * 2); // leaves begin on 64-byte boundaries
        // Weight, gradient and EMA in both types, two moments in f32: 26 bytes for each weight of two.
        Assert.Equal(13 * memory.GetProperty("weights").GetInt64(), memory.GetProperty("train").GetInt64());
        Assert.Equal(memory.GetProperty("weights").GetInt64() + memory.GetProperty("cache").GetInt64(), memory.GetProperty("sample").GetInt64());

        using var nemotron = await TinyModel.Create("nemotron");
        seen = await Inspect(nemotron.Model, "--batch", "3", "--length", "11");
        const long convolved = 24 + (2 * 2 * 5), mamba = 2 * (((24 + convolved + 4) * 20) + (24 * 20) + (3 * 4) + (convolved * 4) + convolved + 24);
        Assert.Equal((37 * 20, ((4 + 2 + 2) * 6 * 20) + (20 * 4 * 6), 2 * 28 * 20, mamba, 5 * 20, 37 * 20), Parts(seen));
        const long state = 3 * 4 * ((2 * 2 * 11 * 6) + (2 * ((3 * convolved) + (24 * 5))));
        Assert.Equal(state, seen.GetProperty("memory").GetProperty("cache").GetInt64());
    }

    [Fact]
    public async Task Inspect_names_files_and_says_why_there_is_no_tokenizer()
    {
        using var model = await TinyModel.Create("llama");
        var text = await RlpCommand.Succeed("model", "inspect", model.Model);
        Assert.Contains("LlamaForCausalLM", text);
        Assert.Contains("model.safetensors", text);
        Assert.Contains("tokenizer none", text);
        Assert.Contains("no tokenizer; looked for tokenizer.json", text);
    }

    [Theory]
    [InlineData("1 2 x3 4", "line 1, id 3 of the file: 'x3' is no token id")]
    [InlineData("1 2\n3 37", "line 2, id 4 of the file: 37 is outside the model's vocabulary; expected 0 to 36")]
    [InlineData("-1", "line 1, id 1 of the file: -1 is outside")]
    [InlineData(" \n", "holds no token ids")]
    [InlineData(null, "the file does not exist")]
    public async Task Ids_that_cannot_be_used_are_refused_with_their_place(string? ids, string message)
    {
        using var model = await TinyModel.Create("qwen3");
        File.Delete(model.Ids);
        if (ids is not null) await File.WriteAllTextAsync(model.Ids, ids, TestContext.Current.CancellationToken);
        var (code, _, error) = await RlpCommand.Run("model", "logprobs", "--model", model.Model, "--ids", model.Ids, "--out", model["out"]);
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains(message, error);
        Assert.Contains(model.Ids, error);
        Assert.False(File.Exists(model["out"]));
    }

    [Fact]
    public async Task A_damaged_model_is_bad_data_and_the_message_names_it()
    {
        using var model = await TinyModel.Create("qwen3");
        var weights = Path.Combine(model.Model, "model.safetensors");
        using (var file = new FileStream(weights, FileMode.Open)) file.SetLength(file.Length - 5);
        var (code, output, _) = await RlpCommand.Run("model", "inspect", model.Model);
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains("PROBLEM", output);
        (code, _, var error) = await RlpCommand.Run("model", "logprobs", "--model", model.Model, "--ids", model.Ids, "--out", model["out"]);
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains($"{model.Model}: 'model.norm.weight'", error); // the last tensor of the file
        (code, _, error) = await RlpCommand.Run("model", "inspect", model["nowhere"]);
        Assert.Equal(ExitCodes.BadData, code);
        Assert.Contains(model["nowhere"], error);
    }

    [Fact]
    public async Task A_folder_that_holds_something_is_not_overwritten()
    {
        using var model = await TinyModel.Create("qwen3");
        var before = await File.ReadAllBytesAsync(Path.Combine(model.Model, "model.safetensors"), TestContext.Current.CancellationToken);
        foreach (string[] command in new string[][]
        {
            ["model", "export", "--model", model.Model, "--out", model.Model, "--dtype", "bf16"],
            ["model", "init", "--config", model["config.json"], "--seed", "4", "--out", model.Model],
        })
        {
            var (code, _, error) = await RlpCommand.Run(command);
            Assert.Equal(ExitCodes.BadData, code);
            Assert.Contains("is not empty", error);
        }
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(model.Model, "model.safetensors"), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("rlp model export", "--dtype", "model", "export", "--model", "m", "--out", "o", "--dtype", "f8")]
    [InlineData("rlp model export", "--max-shard-size", "model", "export", "--model", "m", "--out", "o", "--max-shard-size", "5 apples")]
    [InlineData("rlp model logprobs", "sideways", "model", "logprobs", "--model", "m", "--ids", "i", "--out", "o", "--mode", "sideways")]
    [InlineData("rlp model inspect", "--batch", "model", "inspect", "m", "--batch", "0")]
    [InlineData("rlp model init", "--seed", "model", "init", "--config", "c", "--out", "o")]
    [InlineData("rlp model pull", "../etc", "model", "pull", "../etc")]
    [InlineData("rlp model pull", "--revision", "model", "pull", "a/b", "--revision")]
    [InlineData("rlp model pull", "ftp", "model", "pull", "a/b", "--endpoint", "ftp://x")]
    public async Task A_bad_command_line_is_told_with_the_place_to_look(string command, string culprit, params string[] arguments)
    {
        var (code, _, error) = await RlpCommand.Run(arguments);
        Assert.Equal(ExitCodes.BadConfiguration, code);
        Assert.Contains(culprit, error);
        Assert.Contains($"Try '{command} --help'", error);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("logprobs")]
    [InlineData("tokenize")]
    [InlineData("export")]
    [InlineData("pull")]
    [InlineData("init")]
    public async Task Every_command_has_a_help_text_with_an_example(string command)
    {
        var help = await RlpCommand.Succeed("model", command, "--help");
        Assert.Contains("Example", help);
        Assert.Contains($"rlp model {command} ", help);
    }

    private static async Task<JsonElement> Inspect(string folder, params string[] options) =>
        JsonDocument.Parse(await RlpCommand.Succeed(["model", "inspect", folder, "--json", .. options])).RootElement;

    private static (long, long, long, long, long, long) Parts(JsonElement inspection)
    {
        var parts = inspection.GetProperty("parameters");
        return (Count("embeddings"), Count("attention"), Count("mlp"), Count("mamba"), Count("norms"), Count("head"));

        long Count(string name) => parts.GetProperty(name).GetInt64();
    }
}
