using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// Qwen3 and Llama: pre-norm blocks of grouped-query attention with rotary embedding, and SwiGLU. Qwen3 also normalises queries and keys; Llama may
/// have biases.
/// </summary>
public sealed class TransformerDecoder : Decoder
{
    private readonly RotaryEmbedding rotary;
    private readonly GroupedQueryAttention[] attention;
    private readonly SwiGlu[] mlp;
    private PackedWeights? packed;

    public TransformerDecoder(TransformerConfig config, ParameterArena parameters) : base(config, parameters)
    {
        rotary = new RotaryEmbedding(config.HeadDim, config.RopeTheta, config.RopeScaling, DType, Device);
        var (normalised, attentionBias, mlpBias) = Options(config);
        attention = [.. Enumerable.Range(0, config.Layers).Select(i => new GroupedQueryAttention(
            config, parameters, $"{i}", $"model.layers.{i}.self_attn", rotary, normalised, attentionBias))];
        mlp = [.. Enumerable.Range(0, config.Layers).Select(i => new SwiGlu(parameters, $"{i}", mlpBias))];
    }

    /// <summary>The arena's layout under Hugging Face's names.</summary>
    public static ArenaLayout Layout(TransformerConfig config)
    {
        var (normalised, attentionBias, mlpBias) = Options(config);
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
            layout.AddVector(AttentionNorm(i), config.HiddenSize);
            if (normalised) GroupedQueryAttention.AddNorms(layout, config, $"model.layers.{i}.self_attn");
            if (attentionBias) GroupedQueryAttention.AddBiases(layout, config, $"{i}", $"model.layers.{i}.self_attn");
            layout.AddVector(MlpNorm(i), config.HiddenSize);
            if (mlpBias) SwiGlu.AddBiases(layout, config, $"{i}", $"model.layers.{i}.mlp");
        }
        layout.AddVector(LastNorm, config.HiddenSize);
        return layout;
    }

    internal RotaryEmbedding Rotary => rotary;

    internal Tensor FinalNormWeight => Parameters[LastNorm];

    /// <summary>A layer's parts and the weights of the norms before them.</summary>
    internal (GroupedQueryAttention Attention, SwiGlu Mlp, Tensor AttentionNorm, Tensor MlpNorm) Layer(int layer) =>
        (attention[layer], mlp[layer], Parameters[AttentionNorm(layer)], Parameters[MlpNorm(layer)]);

    /// <summary>The matrices as decoding reads them, with the values that they have now. Valid until the decoder is disposed.</summary>
    internal PackedWeights Pack()
    {
        packed ??= new PackedWeights(this);
        packed.Load();
        return packed;
    }

    public override Tensor Decode(Tensor tokens, DecoderState state)
    {
        if (RecordedDecoding.Of(this, state) is { } recorded) return recorded.Run(tokens);
        if (!CpuKernels.Serve(Parameters.Values)) return base.Decode(tokens, state);
        var step = (DecodingStep)(state.Workspace ??= new DecodingStep(this, state));
        if (tokens.is_contiguous()) return step.Run(tokens);
        using var contiguous = tokens.contiguous();
        return step.Run(contiguous);
    }

    internal override Tensor Block(int layer, Tensor x, ForwardPlan plan, DecoderState? state)
    {
        x = attention[layer].Forward(Norm(x, AttentionNorm(layer)), plan, state, state?.Layer<KeyValueState>(layer), x);
        return mlp[layer].Forward(Norm(x, MlpNorm(layer)), x);
    }

    private protected override Tensor FinalNorm(Tensor x) => Norm(x, LastNorm);

    private const string LastNorm = "model.norm.weight";

    private static string AttentionNorm(int layer) => $"model.layers.{layer}.input_layernorm.weight";

    private static string MlpNorm(int layer) => $"model.layers.{layer}.post_attention_layernorm.weight";

    private static (bool Normalised, bool AttentionBias, bool MlpBias) Options(TransformerConfig config) =>
        config is LlamaConfig llama ? (false, llama.AttentionBias, llama.MlpBias) : (true, false, false);

    private Tensor Norm(Tensor x, string weight) => RmsNorm.Apply(x, Parameters[weight], Config.RmsNormEps);

    public override void Dispose()
    {
        rotary.Dispose();
        packed?.Dispose();
    }
}
