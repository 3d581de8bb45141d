using System.Text.Json.Nodes;

namespace Rlp.Models;

/// <summary>A Qwen3 decoder; keys and defaults as in Hugging Face's Qwen3Config.</summary>
public sealed record Qwen3Config : TransformerConfig
{
    internal const string Name = "Qwen3ForCausalLM", Type = "qwen3";

    public override string Architecture => Name;

    public override string ModelType => Type;

    internal static Qwen3Config Read(ConfigDocument document)
    {
        RefuseUnsupported(document);
        document.Off("attention_bias", "mlp_bias", "use_sliding_window");
        document.Ignore("sliding_window", "max_window_layers"); // without use_sliding_window they do nothing
        var heads = document.Integer("num_attention_heads");
        var (theta, scaling) = RopeScaling.Read(document);
        return new Qwen3Config
        {
            VocabularySize = document.Integer("vocab_size"),
            HiddenSize = document.Integer("hidden_size"),
            IntermediateSize = document.Integer("intermediate_size"),
            Layers = document.Integer("num_hidden_layers"),
            AttentionHeads = heads,
            KeyValueHeads = document.Integer("num_key_value_heads", heads),
            HeadDim = document.Integer("head_dim", 128),
            RopeTheta = theta,
            RopeScaling = scaling,
            RmsNormEps = document.Number("rms_norm_eps", 1e-6),
            TieWordEmbeddings = document.Flag("tie_word_embeddings", false),
            InitializerRange = document.Number("initializer_range", 0.02),
        };
    }

    private protected override void Write(JsonObject json)
    {
        base.Write(json);
        json["attention_bias"] = false;
    }
}
