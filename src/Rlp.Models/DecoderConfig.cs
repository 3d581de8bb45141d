using System.Text.Json;

namespace Rlp.Models;

/// <summary>The shape of a Qwen3 decoder, in the terms of a Hugging Face config.json.</summary>
public sealed record DecoderConfig
{
    public required int VocabularySize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int Layers { get; init; }
    public required int AttentionHeads { get; init; }
    public required int KeyValueHeads { get; init; }
    public required int HeadDim { get; init; }
    public double RopeTheta { get; init; } = 10_000;
    public double RmsNormEps { get; init; } = 1e-6;
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Standard deviation of initial weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Layers * heads * headDim: the width of attention for FLOP counts.</summary>
    public long AttentionWidth => (long)Layers * AttentionHeads * HeadDim;

    /// <exception cref="ModelFormatException">A size that no decoder can have.</exception>
    public DecoderConfig Validated(string source)
    {
        Positive(VocabularySize, "vocab_size");
        Positive(HiddenSize, "hidden_size");
        Positive(IntermediateSize, "intermediate_size");
        Positive(Layers, "num_hidden_layers");
        Positive(AttentionHeads, "num_attention_heads");
        Positive(KeyValueHeads, "num_key_value_heads");
        Positive(HeadDim, "head_dim");
        if (AttentionHeads % KeyValueHeads != 0)
            throw new ModelFormatException($"{source}: num_attention_heads {AttentionHeads} is not a multiple of num_key_value_heads {KeyValueHeads}");
        if (HeadDim % 2 != 0)
            throw new ModelFormatException($"{source}: head_dim {HeadDim} is odd; rotary embedding rotates pairs");
        return this;

        void Positive(int value, string key)
        {
            if (value < 1) throw new ModelFormatException($"{source}: {key} is {value}; expected at least 1");
        }
    }

    /// <summary>Reads the config.json of a Qwen3 folder.</summary>
    /// <exception cref="ModelFormatException">
    /// Not a Qwen3 decoder, a missing or ill-typed key, or a key whose value asks for mathematics that is not implemented.
    /// </exception>
    public static DecoderConfig Read(string path)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(File.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{path}: not JSON: {e.Message}", e);
        }
        using (document)
        {
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw new ModelFormatException($"{path}: expected a JSON object");
            Only("model_type", "qwen3");
            Only("hidden_act", "silu");
            OnlyFalse("attention_bias");
            OnlyFalse("use_sliding_window");
            if (root.TryGetProperty("rope_scaling", out var scaling) && scaling.ValueKind != JsonValueKind.Null)
                throw new ModelFormatException($"{path}: rope_scaling is set; only unscaled rotary embeddings are supported");
            var hidden = Integer("hidden_size", null);
            var heads = Integer("num_attention_heads", null);
            return new DecoderConfig
            {
                VocabularySize = Integer("vocab_size", null),
                HiddenSize = hidden,
                IntermediateSize = Integer("intermediate_size", null),
                Layers = Integer("num_hidden_layers", null),
                AttentionHeads = heads,
                KeyValueHeads = Integer("num_key_value_heads", heads),
                HeadDim = Integer("head_dim", heads == 0 ? 0 : hidden / heads),
                RopeTheta = Number("rope_theta", 10_000),
                RmsNormEps = Number("rms_norm_eps", 1e-6),
                TieWordEmbeddings = Flag("tie_word_embeddings", false),
                InitializerRange = Number("initializer_range", 0.02),
            }.Validated(path);

            JsonElement? Find(string key) =>
                root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

            int Integer(string key, int? fallback) => Find(key) switch
            {
                null => fallback ?? throw new ModelFormatException($"{path}: '{key}' is missing"),
                { ValueKind: JsonValueKind.Number } v when v.TryGetInt32(out var i) => i,
                { } v => throw new ModelFormatException($"{path}: '{key}' is {v.GetRawText()}; expected a whole number"),
            };

            double Number(string key, double fallback) => Find(key) switch
            {
                null => fallback,
                { ValueKind: JsonValueKind.Number } v => v.GetDouble(),
                { } v => throw new ModelFormatException($"{path}: '{key}' is {v.GetRawText()}; expected a number"),
            };

            bool Flag(string key, bool fallback) => Find(key) switch
            {
                null => fallback,
                { ValueKind: JsonValueKind.True } => true,
                { ValueKind: JsonValueKind.False } => false,
                { } v => throw new ModelFormatException($"{path}: '{key}' is {v.GetRawText()}; expected true or false"),
            };

            void Only(string key, string supported)
            {
                if (Find(key) is { } v && (v.ValueKind != JsonValueKind.String || v.GetString() != supported))
                    throw new ModelFormatException($"{path}: '{key}' is {v.GetRawText()}; only \"{supported}\" is supported");
            }

            void OnlyFalse(string key)
            {
                if (Flag(key, false)) throw new ModelFormatException($"{path}: '{key}' is true, which is not supported");
            }
        }
    }

    /// <summary>The config.json of this decoder, as Hugging Face's Qwen3ForCausalLM reads it.</summary>
    public string ToJson() => JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["architectures"] = new[] { "Qwen3ForCausalLM" },
        ["model_type"] = "qwen3",
        ["torch_dtype"] = "float32",
        ["vocab_size"] = VocabularySize,
        ["hidden_size"] = HiddenSize,
        ["intermediate_size"] = IntermediateSize,
        ["num_hidden_layers"] = Layers,
        ["num_attention_heads"] = AttentionHeads,
        ["num_key_value_heads"] = KeyValueHeads,
        ["head_dim"] = HeadDim,
        ["hidden_act"] = "silu",
        ["attention_bias"] = false,
        ["rope_theta"] = RopeTheta,
        ["rms_norm_eps"] = RmsNormEps,
        ["tie_word_embeddings"] = TieWordEmbeddings,
        ["initializer_range"] = InitializerRange,
    }, new JsonSerializerOptions { WriteIndented = true });
}
