using System.Text.Json;
using Rlp.Models.Tests.Weights;
using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

public sealed class HuggingFaceFolderTests : IDisposable
{
    /// <summary>Keys that nothing here knows, numbers in their own spelling, and Python's Infinity: all to be kept.</summary>
    private const string Config = """
        {
          "model_type": "tiny", "torch_dtype": "float32",
          "rms_norm_eps": 1e-06, "ünknown": {"torch_dtype": "nested", "list": [1, "}"]},
          "time_step_limit": [0.0, Infinity]
        }
        """;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32, false)]
    [InlineData(ScalarType.Float32, true)]
    [InlineData(ScalarType.BFloat16, false)]
    [InlineData(ScalarType.BFloat16, true)]
    public void An_export_reloads_bit_for_bit(ScalarType type, bool tied)
    {
        using var arena = TinyLayout.Random(TinyLayout.Make(tied), dtype: type);
        ExportedModel.Write(folder["out"], ModelDocuments.Of(Config), TensorSource.Of(arena), new ExportSettings { Dtype = type });

        using var model = HuggingFaceFolder.Open(folder["out"]);
        using var loaded = model.Load(TinyLayout.Make(tied), trainable: false, dtype: type);
        Assert.Equal(arena.Sha256(), loaded.Sha256());
        using var trained = model.Load(TinyLayout.Make(tied), trainable: true, dtype: type);
        Assert.NotNull(trained.Gradients);
    }

    [Fact]
    public void Shards_hold_the_same_as_one_file_and_none_is_larger_than_asked()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        ExportedModel.Write(folder["single"], ModelDocuments.Of(Config), TensorSource.Of(arena), new ExportSettings());
        ExportedModel.Write(folder["sharded"], ModelDocuments.Of(Config), TensorSource.Of(arena), new ExportSettings { MaxShardBytes = 150 });

        using var single = HuggingFaceFolder.Open(folder["single"]);
        using var sharded = HuggingFaceFolder.Open(folder["sharded"]);
        using var a = single.Load(TinyLayout.Make(), trainable: false);
        using var b = sharded.Load(TinyLayout.Make(), trainable: false);
        Assert.Equal(a.Sha256(), b.Sha256());

        // 220 | 120 | 60 + 60 | 140 | 20 + 20 bytes: the embedding alone is above the limit
        Assert.Equal(["model-00001-of-00005.safetensors", "model-00002-of-00005.safetensors", "model-00003-of-00005.safetensors", "model-00004-of-00005.safetensors", "model-00005-of-00005.safetensors"],
            Directory.EnumerateFiles(folder["sharded"], "*.safetensors").Select(f => Path.GetFileName(f)).Order());
        using var index = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder["sharded"], "model.safetensors.index.json")));
        Assert.Equal(arena.Layout.ParameterCount * 4, index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
        Assert.Equal("model-00003-of-00005.safetensors", index.RootElement.GetProperty("weight_map").GetProperty("model.layers.0.self_attn.v_proj.weight").GetString());
        Assert.False(File.Exists(Path.Combine(folder["single"], "model.safetensors.index.json")));
    }

    [Fact]
    public void Documents_are_carried_along_and_of_the_configuration_only_the_type_changes()
    {
        Directory.CreateDirectory(folder["in"]);
        File.WriteAllText(Path.Combine(folder["in"], "config.json"), Config);
        File.WriteAllText(Path.Combine(folder["in"], "generation_config.json"), "{ \"eos_token_id\": 7 }");
        File.WriteAllText(Path.Combine(folder["in"], "tokenizer.json"), "tokens");
        File.WriteAllText(Path.Combine(folder["in"], "pytorch_model.bin"), "no");
        using var arena = TinyLayout.Random(TinyLayout.Make());
        SafeTensors.Save(Path.Combine(folder["in"], "model.safetensors"), arena);

        using (var model = HuggingFaceFolder.Open(folder["in"]))
            model.Export(folder["out"], arena, new ExportSettings { Dtype = ScalarType.BFloat16 });

        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"], Directory.EnumerateFileSystemEntries(folder["out"]).Select(f => Path.GetFileName(f)).Order());
        Assert.Equal(Config.Replace("\"torch_dtype\": \"float32\"", "\"torch_dtype\": \"bfloat16\""), File.ReadAllText(Path.Combine(folder["out"], "config.json")));
        Assert.Equal("{ \"eos_token_id\": 7 }", File.ReadAllText(Path.Combine(folder["out"], "generation_config.json")));
        Assert.Equal("tokens", File.ReadAllText(Path.Combine(folder["out"], "tokenizer.json")));
    }

    [Fact]
    public void A_checkpoint_is_exported_from_the_file_of_its_policy()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        Directory.CreateDirectory(folder["step-1"]);
        File.WriteAllText(Path.Combine(folder["step-1"], "config.json"), Config);
        SafeTensors.Save(Path.Combine(folder["step-1"], "policy.safetensors"), arena);

        using (var checkpoint = HuggingFaceFolder.Open(folder["step-1"], "policy.safetensors"))
            checkpoint.Export(folder["out"], TinyLayout.Make(), new ExportSettings());
        using var model = HuggingFaceFolder.Open(folder["out"]);
        using var loaded = model.Load(TinyLayout.Make(), trainable: false);
        Assert.Equal(arena.Sha256(), loaded.Sha256());
    }

    [Fact]
    public void A_copy_from_disk_to_disk_equals_an_export_of_the_loaded_arena()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        ExportedModel.Write(folder["in"], ModelDocuments.Of(Config), TensorSource.Of(arena), new ExportSettings());
        using var model = HuggingFaceFolder.Open(folder["in"]);
        var settings = new ExportSettings { Dtype = ScalarType.BFloat16, MaxShardBytes = 100 };
        model.Export(folder["copied"], TinyLayout.Make(), settings);
        model.Export(folder["exported"], arena, settings);

        var names = Directory.EnumerateFiles(folder["copied"]).Select(f => Path.GetFileName(f)!).Order().ToList();
        Assert.True(names.Count > 4);
        Assert.Equal(names, Directory.EnumerateFiles(folder["exported"]).Select(f => Path.GetFileName(f)).Order());
        Assert.All(names, n => Assert.Equal(File.ReadAllBytes(Path.Combine(folder["copied"], n)), File.ReadAllBytes(Path.Combine(folder["exported"], n))));
    }

    [Fact]
    public void A_folder_that_is_not_empty_is_not_overwritten_and_nothing_is_left_behind()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        Directory.CreateDirectory(folder["out"]);
        File.WriteAllText(Path.Combine(folder["out"], "mine"), "mine");
        void Write() => ExportedModel.Write(folder["out"], ModelDocuments.Of(Config), TensorSource.Of(arena), new ExportSettings());

        Assert.Contains("is not empty", Assert.Throws<ModelFormatException>(Write).Message);
        Assert.Equal(["mine"], Directory.EnumerateFileSystemEntries(folder["out"]).Select(f => Path.GetFileName(f)));

        File.Delete(Path.Combine(folder["out"], "mine"));
        Write();
        Assert.True(File.Exists(Path.Combine(folder["out"], "model.safetensors")));
        Assert.Equal(["out"], Directory.EnumerateFileSystemEntries(folder.Path).Select(f => Path.GetFileName(f)));
    }

    [Fact]
    public void An_export_that_fails_half_way_leaves_no_folder()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        var sources = TensorSource.Of(arena).ToList();
        sources[^1] = sources[^1] with { Pieces = () => throw new InvalidOperationException("half way") };

        Assert.Throws<InvalidOperationException>(() => ExportedModel.Write(folder["out"], ModelDocuments.Of(Config), sources, new ExportSettings()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Initial_values_written_to_disk_are_those_of_an_arena(ScalarType type)
    {
        var layout = TinyLayout.Make();
        var initialization = new InitializationSettings { Range = 0.3 };
        HuggingFaceFolder.Initialize(folder["out"], Config, layout, 5, initialization, new ExportSettings { Dtype = type, MaxShardBytes = 200 });

        using var arena = new ParameterArena(layout, trainable: false, dtype: type);
        arena.Initialize(5, initialization);
        using var model = HuggingFaceFolder.Open(folder["out"]);
        using var loaded = model.Load(layout, trainable: false, dtype: type);
        Assert.Equal(arena.Sha256(), loaded.Sha256());
    }

    [Fact]
    public void An_inspection_says_what_is_there_and_what_is_wrong()
    {
        using var arena = TinyLayout.Random(TinyLayout.Make());
        ExportedModel.Write(folder["out"], ModelDocuments.Of(Config), TensorSource.Of(arena), new ExportSettings { Dtype = ScalarType.BFloat16 });
        using var model = HuggingFaceFolder.Open(folder["out"]);

        var inspection = model.Inspect(TinyLayout.Make(tied: false));
        Assert.Equal("tiny", inspection.ModelType);
        Assert.Equal(arena.Layout.ParameterCount, inspection.Parameters);
        Assert.Equal([("BF16", arena.Layout.ParameterCount)], inspection.ParametersByDtype.Select(p => (p.Key, p.Value)));
        Assert.Equal(new FileInfo(Path.Combine(folder["out"], "model.safetensors")).Length, Assert.Single(inspection.Files).Bytes);
        Assert.Equal(110, inspection.Tensors.Single(t => t.Name == TinyLayout.Embedding).Bytes);
        Assert.Equal("'lm_head.weight' is missing (expected [11, 5])", Assert.Single(inspection.Problems));
        Assert.Empty(model.Inspect(TinyLayout.Make()).Problems);
    }

    [Theory]
    [InlineData("{}", "{\n  \"torch_dtype\": \"bfloat16\"}")]
    [InlineData("{\"a\": 1}", "{\n  \"torch_dtype\": \"bfloat16\",\"a\": 1}")]
    [InlineData("{\"dtype\" : null , \"a\": {\"dtype\": \"x\"}}", "{\"dtype\" : \"bfloat16\" , \"a\": {\"dtype\": \"x\"}}")]
    [InlineData("{\"dtype\":\"a\\\"b\",\"torch_dtype\":\"c\"}", "{\"dtype\":\"bfloat16\",\"torch_dtype\":\"bfloat16\"}")]
    public void The_type_is_written_where_the_configuration_says_it(string before, string after) =>
        Assert.Equal(after, ConfigText.WithType(before, "bfloat16", "config.json"));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{\"a\"}")]
    [InlineData("{\"a\":}")]
    [InlineData("{\"a\":1")]
    [InlineData("{\"a\":\"1}")]
    [InlineData("{a:1}")]
    public void A_configuration_that_is_no_object_is_refused(string text) =>
        Assert.Contains("config.json", Assert.Throws<ModelFormatException>(() => ConfigText.WithType(text, "bfloat16", "config.json")).Message);

    [Theory]
    [InlineData("5GB", 5_000_000_000)]
    [InlineData("2 GiB", 2L << 30)]
    [InlineData("1.5kb", 1500)]
    [InlineData("77", 77)]
    public void Sizes_are_read_as_people_write_them(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("GB")]
    [InlineData("-1GB")]
    [InlineData("0")]
    [InlineData("1e3")]
    [InlineData("99999999999TB")]
    public void What_is_no_size_is_refused(string text) =>
        Assert.Contains($"'{text}'", Assert.Throws<ModelFormatException>(() => ByteSize.Parse(text)).Message);
}
