using System.Text.Json.Nodes;

namespace Rlp.Models.Tests;

public sealed class DecoderConfigTests : IDisposable
{
    private readonly string path = Path.Combine(Directory.CreateTempSubdirectory("rlp-config-").FullName, "config.json");

    public static TheoryData<string> Names => TinyModels.Names;

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void Reads_back_what_it_writes(string name)
    {
        var config = TinyModels.Configs[name];
        File.WriteAllText(path, config.ToJson());
        Assert.Equal(config, DecoderConfig.Read(path) with { Document = null });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_document_comes_back_word_for_word_until_something_is_changed(string name)
    {
        var document = With(name, ("torch_dtype", "\"bfloat16\""), ("transformers_version", "\"4.57.1\""), ("_commit", "\"x\""), ("eos_token_id", "[1, 2]"));
        var config = DecoderConfig.Parse(document, "config.json");
        Assert.Equal(document, config.ToJson());

        var larger = JsonNode.Parse((config with { VocabularySize = 25 }).ToJson())!;
        var expected = JsonNode.Parse(document)!;
        expected["vocab_size"] = 25;
        Assert.True(JsonNode.DeepEquals(expected, larger), larger.ToJsonString());
    }

    [Fact]
    public void Infinity_is_read_as_python_and_transformers_write_it_and_written_back_as_it_was()
    {
        foreach (var infinity in new[] { "Infinity", "\"Infinity\"", "{\"__float__\": \"Infinity\"}" })
        {
            var document = With("nemotron M", ("time_step_limit", $"[0.0, {infinity}]"), ("note_token_id", "null"));
            var config = Assert.IsType<NemotronHConfig>(DecoderConfig.Parse(document, "config.json"));
            Assert.Equal((0, double.PositiveInfinity), config.TimeStepLimit);
            Assert.Equal(document, config.ToJson());
            var changed = (config with { VocabularySize = 24 }).ToJson();
            Assert.Equal(config.TimeStepLimit, ((NemotronHConfig)DecoderConfig.Parse(changed, "config.json")).TimeStepLimit);
            if (infinity == "Infinity") Assert.Matches(@"\[\s*0\.0,\s*Infinity\s*\]", changed);
        }
    }

    [Theory]
    [InlineData("qwen3", "model_type", "\"mamba\"")]
    [InlineData("qwen3", "model_type", "\"llama\"")] // contradicts architectures
    [InlineData("qwen3", "architectures", "[\"Qwen3MoeForCausalLM\"]")]
    [InlineData("qwen3", "architectures", "[\"Qwen3ForCausalLM\", \"LlamaForCausalLM\"]")]
    [InlineData("qwen3", "hidden_act", "\"gelu\"")]
    [InlineData("qwen3", "attention_bias", "true")]
    [InlineData("qwen3", "use_sliding_window", "true")]
    [InlineData("qwen3", "layer_types", "[\"full_attention\", \"sliding_attention\"]")]
    [InlineData("qwen3", "num_key_value_heads", "3")]
    [InlineData("qwen3", "head_dim", "7")]
    [InlineData("qwen3", "hidden_size", "\"20\"")]
    [InlineData("qwen3", "hidden_size", "0")]
    [InlineData("qwen3", "hidden_size", "-20")]
    [InlineData("qwen3", "hidden_size", "20.5")]
    [InlineData("qwen3", "hidden_size", "1e12")]
    [InlineData("qwen3", "vocab_size", "null")]
    [InlineData("qwen3", "rms_norm_eps", "0")]
    [InlineData("qwen3", "rms_norm_eps", "-1e-6")]
    [InlineData("qwen3", "rms_norm_eps", "NaN")]
    [InlineData("qwen3", "rope_theta", "0")]
    [InlineData("qwen3", "rope_theta", "Infinity")]
    [InlineData("qwen3", "initializer_range", "-0.1")]
    [InlineData("qwen3", "tie_word_embeddings", "1")]
    [InlineData("qwen3", "rope_scaling", "{\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32768}")]
    [InlineData("qwen3", "num_experts", "128")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"dynamic\", \"factor\": 2.0}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"longrope\"}")]
    [InlineData("llama", "rope_scaling", "{\"factor\": 2.0}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"linear\"}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 0.5}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"linear\", \"type\": \"dynamic\", \"factor\": 2}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 2, \"attention_factor\": 1.2}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 8192}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4}")]
    [InlineData("llama", "rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 0}")]
    [InlineData("llama", "rope_scaling", "\"linear\"")]
    [InlineData("llama", "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 5000}")] // rope_theta says 10,000
    [InlineData("llama", "partial_rotary_factor", "0.5")]
    [InlineData("llama", "rope_interleaved", "true")]
    [InlineData("llama", "sliding_window", "4096")]
    [InlineData("llama", "quantization_config", "{\"quant_method\": \"gptq\", \"bits\": 4}")]
    [InlineData("llama", "num_local_experts", "8")]
    [InlineData("llama", "attention_dropout", "0.1")]
    [InlineData("llama", "add_cross_attention", "true")]
    [InlineData("llama", "pruned_heads", "{\"0\": [1]}")]
    [InlineData("llama", "final_logit_softcapping", "30.0")] // a key of another architecture
    [InlineData("llama", "mlp_bias", "\"yes\"")]
    [InlineData("nemotron MM*-", "hybrid_override_pattern", "\"MME-\"")]
    [InlineData("nemotron MM*-", "hybrid_override_pattern", "\"MM*\"")]
    [InlineData("nemotron MM*-", "layers_block_type", "[\"mamba\", \"moe\", \"attention\", \"mlp\"]")]
    [InlineData("nemotron MM*-", "layers_block_type", "[\"mamba\", \"mamba\", \"attention\", \"attention\"]")]
    [InlineData("nemotron MM*-", "mlp_hidden_act", "\"silu\"")]
    [InlineData("nemotron MM*-", "mamba_hidden_act", "\"gelu\"")]
    [InlineData("nemotron MM*-", "mamba_ssm_cache_dtype", "\"float16\"")]
    [InlineData("nemotron MM*-", "mamba_proj_bias", "true")]
    [InlineData("nemotron MM*-", "n_groups", "3")]
    [InlineData("nemotron MM*-", "n_groups", "0")]
    [InlineData("nemotron MM*-", "conv_kernel", "0")]
    [InlineData("nemotron MM*-", "chunk_size", "0")]
    [InlineData("nemotron MM*-", "ssm_state_size", "0")]
    [InlineData("nemotron MM*-", "mamba_num_heads", "10000000")] // times head_dim: more than any decoder
    [InlineData("nemotron MM*-", "time_step_limit", "[0.1, 0.001]")]
    [InlineData("nemotron MM*-", "time_step_limit", "[NaN, 1.0]")]
    [InlineData("nemotron MM*-", "time_step_limit", "[0.1]")]
    [InlineData("nemotron MM*-", "time_step_limit", "0.1")]
    [InlineData("nemotron MM*-", "time_step_min", "0")]
    [InlineData("nemotron MM*-", "layer_norm_epsilon", "0")]
    [InlineData("nemotron MM*-", "rms_norm_eps", "1e-6")] // layer_norm_epsilon says 1e-5
    [InlineData("nemotron MM*-", "attention_head_dim", "16")] // head_dim says 6
    [InlineData("nemotron MM*-", "num_query_groups", "8")]
    [InlineData("nemotron MM*-", "n_routed_experts", "128")]
    [InlineData("nemotron MM*-", "num_nextn_predict_layers", "1")]
    [InlineData("nemotron MM*-", "sliding_window", "128")]
    public void Refuses_by_name_what_it_cannot_compute(string name, string key, string value)
    {
        File.WriteAllText(path, With(name, (key, value)));

        var message = Assert.Throws<ModelFormatException>(() => DecoderConfig.Read(path)).Message;
        Assert.Contains(key, message);
        Assert.Contains("config.json", message);
    }

    [Theory]
    [InlineData("qwen3", "sliding_window", "4096")] // use_sliding_window is false
    [InlineData("qwen3", "layer_types", "[\"full_attention\", \"full_attention\"]")]
    [InlineData("qwen3", "rope_scaling", "{\"rope_type\": \"default\"}")]
    [InlineData("qwen3", "some_future_key", "null")]
    [InlineData("llama", "pretraining_tp", "1")]
    [InlineData("llama", "eos_token_id", "[128001, 128008]")]
    [InlineData("llama", "partial_rotary_factor", "1.0")]
    [InlineData("llama", "attention_dropout", "0.0")]
    [InlineData("llama", "quantization_config", "null")]
    [InlineData("llama", "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 10000.0}")]
    [InlineData("nemotron MM*-", "expand", "2")]
    [InlineData("nemotron MM*-", "time_step_rank", "256")] // published configs carry it; only Mamba-1 reads it
    [InlineData("nemotron MM*-", "rms_norm_eps", "1e-5")]
    [InlineData("nemotron MM*-", "attention_head_dim", "6")]
    [InlineData("nemotron MM*-", "layers_block_type", "[\"mamba\", \"mamba\", \"attention\", \"mlp\"]")]
    [InlineData("nemotron MM*-", "sliding_window", "null")]
    [InlineData("nemotron MM*-", "rope_theta", "10000")]
    public void Accepts_what_changes_nothing(string name, string key, string value) =>
        Assert.Equal(TinyModels.Configs[name], DecoderConfig.Parse(With(name, (key, value)), "config.json") with { Document = null });

    [Fact]
    public void Rope_scaling_is_read_in_both_generations_of_the_format()
    {
        const string llama3 = "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192";
        var expected = TinyModels.Llama() with { RopeTheta = 500_000, RopeScaling = new Llama3RopeScaling(8, 1, 4, 8192) };
        foreach (var document in new[]
        {
            With("llama", ("rope_theta", "500000.0"), ("rope_scaling", $"{{{llama3}, \"rope_type\": \"llama3\"}}")),
            With("llama", ("rope_theta", "500000.0"), ("rope_scaling", $"{{{llama3}, \"type\": \"llama3\"}}")),
            With("llama", ("rope_theta", "null"), ("rope_scaling", "null"), ("rope_parameters", $"{{{llama3}, \"rope_type\": \"llama3\", \"rope_theta\": 500000.0}}")),
        }) Assert.Equal(expected, DecoderConfig.Parse(document, "config.json") with { Document = null });

        var linear = (LlamaConfig)DecoderConfig.Parse(With("llama", ("rope_scaling", "{\"type\": \"linear\", \"factor\": 2.5}")), "config.json");
        Assert.Equal(new LinearRopeScaling(2.5), linear.RopeScaling);
    }

    [Fact]
    public void Keys_that_are_absent_have_the_values_of_hugging_face()
    {
        var llama = (LlamaConfig)DecoderConfig.Parse(
            """{"model_type": "llama", "vocab_size": 9, "hidden_size": 24, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 3}""", "config.json");
        Assert.Equal((8, 3, 10_000, 1e-6), (llama.HeadDim, llama.KeyValueHeads, llama.RopeTheta, llama.RmsNormEps));
        Assert.Equal((false, false, false), (llama.TieWordEmbeddings, llama.AttentionBias, llama.MlpBias));

        Assert.Equal(128, DecoderConfig.Parse(With("qwen3", ("head_dim", "null")), "config.json").HeadDim); // not hidden / heads

        var nemotron = (NemotronHConfig)DecoderConfig.Parse(
            """
            {"architectures": ["NemotronHForCausalLM"], "vocab_size": 9, "hidden_size": 24, "hybrid_override_pattern": "M*", "num_attention_heads": 3,
             "mamba_num_heads": 4, "mamba_head_dim": 2, "n_groups": 2, "ssm_state_size": 4}
            """, "config.json");
        Assert.Equal((2, 128, 4, 128, 1e-5), (nemotron.Layers, nemotron.HeadDim, nemotron.ConvolutionKernel, nemotron.ChunkSize, nemotron.RmsNormEps));
        Assert.Equal((true, false, false), (nemotron.ConvolutionBias, nemotron.MambaBias, nemotron.TieWordEmbeddings));
        Assert.Equal((0.0, double.PositiveInfinity), nemotron.TimeStepLimit);
    }

    [Theory]
    [InlineData("*-", "mamba_num_heads, mamba_head_dim, n_groups, ssm_state_size")]
    [InlineData("M", "num_attention_heads, num_key_value_heads, intermediate_size")]
    public void Sizes_of_layers_that_are_not_there_may_be_left_out_and_of_others_may_not(string pattern, string keys)
    {
        foreach (var other in new[] { "*-", "M" })
        {
            var changes = keys.Split(", ").Select(key => (key, "null")).ToList();
            if (other != pattern) changes.AddRange([("hybrid_override_pattern", $"\"{other}\""), ("num_hidden_layers", $"{other.Length}")]);
            var document = With($"nemotron {pattern}", [.. changes]);
            if (other == pattern) Assert.Equal(pattern.Length, DecoderConfig.Parse(document, "config.json").Layers);
            else Assert.Contains("missing", Assert.Throws<ModelFormatException>(() => DecoderConfig.Parse(document, "config.json")).Message);
        }
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("{}", "architectures")]
    [InlineData("""{"model_type": "qwen3", "model_type": "llama"}""", "2 times")]
    [InlineData("""{"model_type": "llama", "hidden_size": 25, "num_attention_heads": 3}""", "head_dim")]
    public void What_is_no_config_is_refused(string json, string named) =>
        Assert.Contains(named, Assert.Throws<ModelFormatException>(() => DecoderConfig.Parse(json, "config.json")).Message);

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains(path, Assert.Throws<ModelFormatException>(() => DecoderConfig.Read(path)).Message);

    /// <summary>The document of a tiny model with some keys replaced or added; values are JSON, Python's Infinity and NaN included.</summary>
    private static string With(string name, params (string Key, string Value)[] changes)
    {
        var json = JsonNode.Parse(TinyModels.Configs[name].ToJson().Replace("Infinity", "\"Infinity\""))!.AsObject();
        foreach (var (key, value) in changes)
            json[key] = value.Contains("NaN") || value.Contains("Infinity") ? $"RAW{value}RAW" : JsonNode.Parse(value);
        var text = json.ToJsonString(new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        return text.Replace("\"RAW", "").Replace("RAW\"", "").Replace("\\\"", "\"");
    }
}
