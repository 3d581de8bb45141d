using System.Text.Json.Nodes;

namespace Rlp.Models;

/// <summary>A Llama decoder; keys and defaults as in Hugging Face's LlamaConfig.</summary>
public sealed record LlamaConfig : TransformerConfig
{
    internal const string Name = "LlamaForCausalLM", Type = "llama";

    /// <summary>Biases on the projections of queries, keys, values and output.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Biases on gate, up and down.</summary>
    public bool MlpBias { get; init; }

    public override string Architecture => Name;

    public override string ModelType => Type;

    internal static LlamaConfig Read(ConfigDocument document)
    {
        RefuseUnsupported(document);
        document.Off("sliding_window", "use_sliding_window");
        int hidden = document.Integer("hidden_size"), heads = document.Integer("num_attention_heads");
        if (document.Find("head_dim") is null && (heads < 1 || hidden % heads != 0))
            throw new ModelFormatException(
                $"{document.Source}: hidden_size {hidden} is not a multiple of num_attention_heads {heads} and there is no head_dim");
        var (theta, scaling) = RopeScaling.Read(document);
        return new LlamaConfig
        {
            VocabularySize = document.Integer("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = document.Integer("intermediate_size"),
            Layers = document.Integer("num_hidden_layers"),
            AttentionHeads = heads,
            KeyValueHeads = document.Integer("num_key_value_heads", heads),
            HeadDim = document.Find("head_dim") is null ? hidden / heads : document.Integer("head_dim"),
            RopeTheta = theta,
            RopeScaling = scaling,
            RmsNormEps = document.Number("rms_norm_eps", 1e-6),
            AttentionBias = document.Flag("attention_bias", false),
            MlpBias = document.Flag("mlp_bias", false),
            TieWordEmbeddings = document.Flag("tie_word_embeddings", false),
            InitializerRange = document.Number("initializer_range", 0.02),
        };
    }

    private protected override void Write(JsonObject json)
    {
        base.Write(json);
        json["attention_bias"] = AttentionBias;
        json["mlp_bias"] = MlpBias;
    }
}
