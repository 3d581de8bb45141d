using Rlp.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Rlp.Benchmarks.Plain;

/// <summary>
/// Qwen3 as one would write it first: one tensor per weight, norms composed of elementwise operations, keys repeated for the query heads, a cache
/// that grows by concatenation. Shares nothing with the code that it is compared with but the initial values.
/// </summary>
internal sealed class PlainQwen3 : IDisposable
{
    private readonly Qwen3Config config;

    /// <param name="source">The weights to copy.</param>
    /// <param name="trainable">With gradients.</param>
    public PlainQwen3(Qwen3Config config, ParameterArena source, bool trainable)
    {
        this.config = config;
        foreach (var slot in source.Layout.Slots)
        {
            using var scope = NewDisposeScope();
            Weights[slot.Name] = (Parameter)new Parameter(source.View(slot).detach().clone(), trainable).DetachFromDisposeScope();
        }
    }

    /// <summary>By their names in a Hugging Face file.</summary>
    public Dictionary<string, Parameter> Weights { get; } = [];

    /// <summary>Final hidden states [B, T, hidden] of right-padded tokens [B, T]; with a cache, of the tokens behind it.</summary>
    public Tensor Hidden(Tensor tokens, PlainCache? cache = null)
    {
        var first = cache?.Length ?? 0;
        var (cos, sin) = Rotations(first, tokens.shape[1]);
        var x = Weights["model.embed_tokens.weight"].index_select(0, tokens.flatten()).view(tokens.shape[0], tokens.shape[1], config.HiddenSize);
        for (var i = 0; i < config.Layers; i++)
        {
            var layer = $"model.layers.{i}";
            x = x + Attention(Norm(x, $"{layer}.input_layernorm"), i, $"{layer}.self_attn", cos, sin, cache);
            var normalised = Norm(x, $"{layer}.post_attention_layernorm");
            var inner = nn.functional.silu(Linear(normalised, $"{layer}.mlp.gate_proj")) * Linear(normalised, $"{layer}.mlp.up_proj");
            x = x + Linear(inner, $"{layer}.mlp.down_proj");
        }
        return Norm(x, "model.norm");
    }

    public Tensor Logits(Tensor hidden) => Linear(hidden, config.TieWordEmbeddings ? "model.embed_tokens" : "lm_head");

    private Tensor Attention(Tensor x, int index, string module, Tensor cos, Tensor sin, PlainCache? cache)
    {
        long batch = x.shape[0], length = x.shape[1];
        var q = Rotated(Norm(Heads(Linear(x, $"{module}.q_proj"), config.AttentionHeads), $"{module}.q_norm"), cos, sin); // [B, heads, T, D]
        var k = Rotated(Norm(Heads(Linear(x, $"{module}.k_proj"), config.KeyValueHeads), $"{module}.k_norm"), cos, sin);
        var v = Heads(Linear(x, $"{module}.v_proj"), config.KeyValueHeads);
        if (cache is not null) (k, v) = cache.Append(index, k, v);
        var group = config.AttentionHeads / config.KeyValueHeads;
        (k, v) = (k.repeat_interleave(group, 1), v.repeat_interleave(group, 1));
        var output = nn.functional.scaled_dot_product_attention(q, k, v, is_casual: length > 1); // behind a cache: one token, which sees all of it
        return Linear(output.transpose(1, 2).reshape(batch, length, config.AttentionHeads * config.HeadDim), $"{module}.o_proj");
    }

    private Tensor Heads(Tensor x, int heads) => x.view(x.shape[0], x.shape[1], heads, config.HeadDim).transpose(1, 2);

    private Tensor Linear(Tensor x, string name) => nn.functional.linear(x, Weights[$"{name}.weight"]);

    private Tensor Norm(Tensor x, string name) => x * (x.pow(2).mean([-1], keepdim: true) + config.RmsNormEps).rsqrt() * Weights[$"{name}.weight"];

    private (Tensor Cos, Tensor Sin) Rotations(long first, long count)
    {
        var frequencies = pow(config.RopeTheta, arange(0, config.HeadDim, 2, dtype: float32).div(-config.HeadDim));
        var angles = outer(arange(first, first + count, dtype: float32), frequencies); // [T, D / 2]
        angles = cat([angles, angles], -1);
        return (angles.cos(), angles.sin());
    }

    private static Tensor Rotated(Tensor x, Tensor cos, Tensor sin)
    {
        var halves = x.chunk(2, -1);
        return (x * cos) + (cat([-halves[1], halves[0]], -1) * sin);
    }

    public void Dispose()
    {
        foreach (var weight in Weights.Values) weight.Dispose();
    }
}
