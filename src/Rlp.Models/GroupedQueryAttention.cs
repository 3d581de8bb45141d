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
    private readonly int heads = config.AttentionHeads, kvHeads = config.KeyValueHeads, dim = config.HeadDim;

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

    /// <summary>[B, T, hidden] to [B, T, hidden].</summary>
    public Tensor Forward(Tensor x, ForwardPlan plan, KeyValueState? state)
    {
        int group = heads / kvHeads;
        long batch = x.shape[0], length = x.shape[1];
        var qkv = nn.functional.linear(x, parameters[$"{leaf}.qkv"], bias ? parameters[$"{leaf}.qkv_bias"] : null)
            .view(batch, length, heads + (2 * kvHeads), dim);
        var qk = qkv.narrow(2, 0, heads + kvHeads); // queries and keys are normalised and rotated together
        if (normalised)
        {
            var norm = cat([
                parameters[$"{module}.q_norm.weight"].expand(heads, dim),
                parameters[$"{module}.k_norm.weight"].expand(kvHeads, dim)]);
            qk = RmsNorm.Apply(qk, norm, config.RmsNormEps);
        }
        if (rotary is not null) qk = rotary.Apply(qk, plan.First, plan.Positions, plan.Last);
        qk = qk.transpose(1, 2); // [B, heads + kv, T, D]
        var q = qk.narrow(1, 0, heads);
        var k = qk.narrow(1, heads, kvHeads);
        var v = qkv.narrow(2, heads + kvHeads, kvHeads).transpose(1, 2);
        if (state is not null) (k, v) = state.Append(plan.First, k, v);

        Tensor output;
        if (length == 1)
        {
            // One query per row: the heads of a group become the query dimension, so that keys and values are read once.
            output = nn.functional.scaled_dot_product_attention(q.reshape(batch, kvHeads, group, dim), k, v, plan.Mask);
        }
        else
        {
            if (group > 1) (k, v) = (k.repeat_interleave(group, 1), v.repeat_interleave(group, 1));
            output = nn.functional.scaled_dot_product_attention(q, k, v, plan.Mask, is_casual: plan.Causal);
        }
        output = output.view(batch, heads, length, dim).transpose(1, 2).reshape(batch, length, heads * dim);
        return nn.functional.linear(output, parameters[$"{leaf}.o"], bias ? parameters[$"{leaf}.o_bias"] : null);
    }
}
