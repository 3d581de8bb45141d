using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Qwen3: pre-norm blocks of grouped-query attention with normalised queries and keys and rotary embedding, and SwiGLU.</summary>
public sealed class Qwen3Decoder : Decoder
{
    private readonly RotaryEmbedding rotary;
    private readonly GroupedQueryAttention[] attention;
    private readonly SwiGlu[] mlp;

    public Qwen3Decoder(Qwen3Config config, ParameterArena parameters) : base(config, parameters)
    {
        rotary = new RotaryEmbedding(config.HeadDim, config.RopeTheta, config.RopeScaling, DType, Device);
        attention = [.. Enumerable.Range(0, config.Layers).Select(i => new GroupedQueryAttention(
            config, parameters, $"{i}", $"model.layers.{i}.self_attn", rotary, normalised: true, bias: false))];
        mlp = [.. Enumerable.Range(0, config.Layers).Select(i => new SwiGlu(config, parameters, $"{i}", bias: false))];
    }

    /// <summary>The arena's layout under Hugging Face's names.</summary>
    public static ArenaLayout Layout(Qwen3Config config)
    {
        var layout = new ArenaLayout();
        AddEmbedding(layout, config, "model.embed_tokens.weight");
        for (var i = 0; i < config.Layers; i++)
        {
            GroupedQueryAttention.AddMatrices(layout, config, $"{i}", $"model.layers.{i}.self_attn");
            SwiGlu.AddMatrices(layout, config, $"{i}", $"model.layers.{i}.mlp");
        }
        AddHead(layout, config);
        for (var i = 0; i < config.Layers; i++)
        {
            layout.AddVector($"model.layers.{i}.input_layernorm.weight", config.HiddenSize);
            layout.AddVector($"model.layers.{i}.self_attn.q_norm.weight", config.HeadDim);
            layout.AddVector($"model.layers.{i}.self_attn.k_norm.weight", config.HeadDim);
            layout.AddVector($"model.layers.{i}.post_attention_layernorm.weight", config.HiddenSize);
        }
        layout.AddVector("model.norm.weight", config.HiddenSize);
        return layout;
    }

    private protected override Tensor Block(int layer, Tensor x, ForwardPlan plan, DecoderState? state)
    {
        x = x + attention[layer].Forward(Norm(x, $"model.layers.{layer}.input_layernorm.weight"), plan, state?.Layer<KeyValueState>(layer));
        return x + mlp[layer].Forward(Norm(x, $"model.layers.{layer}.post_attention_layernorm.weight"));
    }

    private protected override Tensor FinalNorm(Tensor x) => Norm(x, "model.norm.weight");

    private Tensor Norm(Tensor x, string weight) => RmsNorm.Apply(x, Parameters[weight], Config.RmsNormEps);

    public override void Dispose() => rotary.Dispose();
}
