using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// Causal attention whose key and value heads are shared by groups of query heads; with rotary embedding or without, with normalised queries and
/// keys (Qwen3) or without, with biases or without.
/// </summary>
/// <param name="leaf">Under which the layer's fused projections lie in the arena.</param>
/// <param name="module">Hugging Face's name of the layer's attention.</param>
/// <param name="rotary">Null: positions enter through the other layers (Nemotron-H).</param>
internal sealed class GroupedQueryAttention(
    DecoderConfig config, ParameterArena parameters, string leaf, string module, RotaryEmbedding? rotary, bool normalised, bool bias)
{
    private readonly AttentionShape shape = new(config.AttentionHeads, config.KeyValueHeads, config.HeadDim);

    public AttentionShape Shape => shape;

    public RotaryEmbedding? Rotary => rotary;

    public double NormEps => config.RmsNormEps;

    public Tensor Projection => parameters[$"{leaf}.qkv"];

    public Tensor? ProjectionBias => bias ? parameters[$"{leaf}.qkv_bias"] : null;

    public Tensor Output => parameters[$"{leaf}.o"];

    public Tensor? OutputBias => bias ? parameters[$"{leaf}.o_bias"] : null;

    /// <summary>Null: queries are not normalised, and keys are not either.</summary>
    public Tensor? QueryNorm => normalised ? parameters[$"{module}.q_norm.weight"] : null;

    public Tensor? KeyNorm => normalised ? parameters[$"{module}.k_norm.weight"] : null;

    public static void AddMatrices(ArenaLayout layout, DecoderConfig config, string leaf, string module)
    {
        long hidden = config.HiddenSize, queries = (long)config.AttentionHeads * config.HeadDim, keys = (long)config.KeyValueHeads * config.HeadDim;
        layout.AddMatrix($"{leaf}.qkv", hidden,
            ($"{module}.q_proj.weight", queries), ($"{module}.k_proj.weight", keys), ($"{module}.v_proj.weight", keys));
        layout.AddMatrix($"{leaf}.o", queries, ($"{module}.o_proj.weight", hidden));
    }

    public static void AddBiases(ArenaLayout layout, DecoderConfig config, string leaf, string module)
    {
        long queries = (long)config.AttentionHeads * config.HeadDim, keys = (long)config.KeyValueHeads * config.HeadDim;
        layout.AddBias($"{leaf}.qkv_bias", ($"{module}.q_proj.bias", queries), ($"{module}.k_proj.bias", keys), ($"{module}.v_proj.bias", keys));
        layout.AddBias($"{leaf}.o_bias", ($"{module}.o_proj.bias", config.HiddenSize));
    }

    public static void AddNorms(ArenaLayout layout, DecoderConfig config, string module)
    {
        layout.AddVector($"{module}.q_norm.weight", config.HeadDim);
        layout.AddVector($"{module}.k_norm.weight", config.HeadDim);
    }

    /// <summary>The attention of packed sequences added to the residual: [M, hidden] to [M, hidden].</summary>
    public Tensor Forward(Tensor x, ForwardPlan plan, DecoderState? state, KeyValueState? cache, Tensor residual)
    {
        var qkv = Linear.Apply(x, Projection, ProjectionBias); // [M, (heads + 2 kv) D]
        var attended = CpuKernels.Serve(qkv)
            ? PackedAttention.Apply(this, qkv, plan, state, cache)
            : RectangleAttention.Apply(this, qkv, plan, state, cache);
        return Linear.Apply(attended, Output, OutputBias, residual);
    }
}
