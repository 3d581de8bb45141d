using System.Text.Json.Nodes;
using Rlp.Models.Weights;

namespace Rlp.Models;

/// <summary>The shape of a decoder, in the terms of a Hugging Face config.json; each architecture has a record of its own.</summary>
public abstract record DecoderConfig
{
    /// <summary>More than any size of any decoder: what is above it is a damaged file.</summary>
    internal const int LargestSize = 1 << 24;

    public required int VocabularySize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int Layers { get; init; }
    public required int AttentionHeads { get; init; }
    public required int KeyValueHeads { get; init; }
    public required int HeadDim { get; init; }
    public double RmsNormEps { get; init; } = 1e-6;
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Standard deviation of initial weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>The config.json that this was read from, word for word; null where there was none.</summary>
    public string? Document { get; init; }

    /// <summary>As in config.json's "architectures".</summary>
    public abstract string Architecture { get; }

    /// <summary>As in config.json's "model_type".</summary>
    public abstract string ModelType { get; }

    private protected virtual string NormKey => "rms_norm_eps";

    /// <summary>What random weights of this decoder depend on beside the seed.</summary>
    public virtual InitializationSettings Initialization => new() { Range = InitializerRange };

    /// <summary>Layers with attention.</summary>
    public virtual int AttentionLayers => Layers;

    /// <summary>Bytes that <see cref="IDecoder.NewState"/> takes for keys and values, convolution windows and recurrent states.</summary>
    /// <param name="elementBytes">Of the activations: 4 for float32, 2 for bfloat16.</param>
    public virtual long StateBytes(long batch, long capacity, int elementBytes) =>
        2L * AttentionLayers * batch * KeyValueHeads * capacity * HeadDim * elementBytes;

    /// <exception cref="ModelFormatException">A size or number that no decoder can have.</exception>
    public virtual DecoderConfig Validated(string source)
    {
        Size(VocabularySize, "vocab_size");
        Size(HiddenSize, "hidden_size");
        Size(IntermediateSize, "intermediate_size");
        Size(Layers, "num_hidden_layers");
        Size(AttentionHeads, "num_attention_heads");
        Size(KeyValueHeads, "num_key_value_heads");
        Size(HeadDim, "head_dim");
        if (AttentionHeads % KeyValueHeads != 0)
            throw new ModelFormatException($"{source}: num_attention_heads {AttentionHeads} is not a multiple of num_key_value_heads {KeyValueHeads}");
        if (!(RmsNormEps is > 0 and < 1)) throw new ModelFormatException($"{source}: {NormKey} is {RmsNormEps}; expected above 0 and below 1");
        if (!(InitializerRange is >= 0 and < double.PositiveInfinity))
            throw new ModelFormatException($"{source}: initializer_range is {InitializerRange}; expected 0 or above");
        return this;

        void Size(int value, string key) => CheckSize(source, key, value);
    }

    /// <summary>Reads the config.json of a model folder, whichever architecture it is of.</summary>
    /// <exception cref="ModelFormatException">
    /// Not JSON, an unknown architecture, a missing or ill-typed key, a number out of range, or a key whose value asks for mathematics that is not
    /// implemented.
    /// </exception>
    public static DecoderConfig Read(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelFormatException($"{path}: the file does not exist", e);
        }
        return Parse(System.Text.Encoding.UTF8.GetString(bytes), path);
    }

    /// <summary>The same from the text of a config.json.</summary>
    /// <param name="source">What messages call it.</param>
    /// <exception cref="ModelFormatException">As in <see cref="Read"/>.</exception>
    public static DecoderConfig Parse(string json, string source)
    {
        var document = new ConfigDocument(json, source);
        document.Off(
            "quantization_config", "compression_config", "pruned_heads", "add_cross_attention", "is_encoder_decoder", "tie_encoder_decoder",
            "attention_dropout", "hidden_dropout", "num_experts", "num_local_experts", "n_routed_experts", "n_shared_experts", "num_experts_per_tok",
            "moe_intermediate_size", "moe_shared_expert_intermediate_size", "moe_latent_size", "mlp_only_layers", "decoder_sparse_step");
        DecoderConfig config = document.Architecture() switch
        {
            Qwen3Config.Name => Qwen3Config.Read(document),
            LlamaConfig.Name => LlamaConfig.Read(document),
            _ => NemotronHConfig.Read(document),
        };
        document.RefuseTheRest(config.Architecture);
        return (config with { Document = json }).Validated(source);
    }

    /// <summary>
    /// The config.json of this decoder, as Hugging Face reads it. Where the decoder was read from one, that document with what has been changed
    /// since.
    /// </summary>
    public string ToJson()
    {
        var own = new JsonObject
        {
            ["architectures"] = new JsonArray(Architecture),
            ["model_type"] = ModelType,
            ["torch_dtype"] = "float32",
            ["vocab_size"] = VocabularySize,
            ["hidden_size"] = HiddenSize,
            ["intermediate_size"] = IntermediateSize,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = AttentionHeads,
            ["num_key_value_heads"] = KeyValueHeads,
            ["head_dim"] = HeadDim,
            ["tie_word_embeddings"] = TieWordEmbeddings,
            ["initializer_range"] = InitializerRange,
        };
        Write(own);
        if (Document is null) return ConfigDocument.Text(own);

        var before = ConfigDocument.Object((Parse(Document, "config.json") with { Document = null }).ToJson());
        var changed = own.Where(p => !JsonNode.DeepEquals(p.Value, before[p.Key])).ToList();
        if (changed.Count == 0) return Document;
        var document = ConfigDocument.Object(Document);
        foreach (var (key, value) in changed) document[key] = value?.DeepClone();
        var text = ConfigDocument.Text(document);
        return Parse(text, "config.json") with { Document = Document } == this
            ? text
            : throw new InvalidOperationException(
                $"the config.json read has another name for one of {string.Join(", ", changed.Select(c => c.Key))}; set Document to null to write a new one");
    }

    /// <summary>Adds the keys that only this architecture has.</summary>
    private protected abstract void Write(JsonObject json);

    private protected static void CheckSize(string source, string key, int value)
    {
        if (value is < 1 or > LargestSize) throw new ModelFormatException($"{source}: {key} is {value}; expected at least 1 and at most {LargestSize}");
    }
}
