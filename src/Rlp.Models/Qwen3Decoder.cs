using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// A Qwen3 decoder over the parameters of an arena: pre-norm blocks of grouped-query attention with normalised queries and keys and rotary
/// embedding, and SwiGLU. Holds no weights of its own; policy and teacher are two arenas of one layout.
/// </summary>
public sealed class Qwen3Decoder : IDisposable
{
    private readonly RotaryEmbedding rotary;

    public Qwen3Decoder(DecoderConfig config, ParameterArena parameters)
    {
        Config = config;
        Parameters = parameters;
        rotary = new RotaryEmbedding(config.HeadDim, config.RopeTheta, parameters.Values.device);
    }

    public DecoderConfig Config { get; }

    public ParameterArena Parameters { get; }

    /// <summary>Weights that multiply a token in a forward pass (for FLOP counts): all matrices, a tied embedding once as the output head.</summary>
    public long MatrixParameters =>
        Parameters.Layout.Slots.Where(s => s.Shape.Length == 2 && (Config.TieWordEmbeddings || s.Name != "model.embed_tokens.weight")).Sum(s => s.Length);

    /// <summary>The arena's layout under Hugging Face's names; q, k and v as well as gate and up lie side by side so that each is one product.</summary>
    public static ArenaLayout Layout(DecoderConfig config)
    {
        var layout = new ArenaLayout();
        long hidden = config.HiddenSize, head = config.HeadDim, queries = config.AttentionHeads * head, keys = config.KeyValueHeads * head;
        layout.AddMatrix("embed", hidden, ("model.embed_tokens.weight", config.VocabularySize));
        for (var i = 0; i < config.Layers; i++)
        {
            var name = $"model.layers.{i}";
            layout.AddMatrix($"{i}.qkv", hidden, ($"{name}.self_attn.q_proj.weight", queries), ($"{name}.self_attn.k_proj.weight", keys), ($"{name}.self_attn.v_proj.weight", keys));
            layout.AddMatrix($"{i}.o", queries, ($"{name}.self_attn.o_proj.weight", hidden));
            layout.AddMatrix($"{i}.gate_up", hidden, ($"{name}.mlp.gate_proj.weight", config.IntermediateSize), ($"{name}.mlp.up_proj.weight", config.IntermediateSize));
            layout.AddMatrix($"{i}.down", config.IntermediateSize, ($"{name}.mlp.down_proj.weight", hidden));
        }
        if (!config.TieWordEmbeddings) layout.AddMatrix("head", hidden, ("lm_head.weight", config.VocabularySize));
        for (var i = 0; i < config.Layers; i++)
        {
            var name = $"model.layers.{i}";
            layout.AddVector($"{name}.input_layernorm.weight", hidden);
            layout.AddVector($"{name}.self_attn.q_norm.weight", head);
            layout.AddVector($"{name}.self_attn.k_norm.weight", head);
            layout.AddVector($"{name}.post_attention_layernorm.weight", hidden);
        }
        layout.AddVector("model.norm.weight", hidden);
        return layout;
    }

    /// <summary>Final hidden states of right-padded sequences; causal attention keeps the padding out of every real position.</summary>
    /// <param name="tokens">[B, T] int64.</param>
    /// <returns>[B, T, hidden], normalised.</returns>
    public Tensor Hidden(Tensor tokens) => Run(tokens, null);

    /// <summary>Final hidden states of the next tokens of every row, given and extending the cache.</summary>
    /// <param name="tokens">[B, T] int64. The first call may be left-padded, see <paramref name="padding"/>.</param>
    /// <param name="padding">Padding tokens at the left of each row; only at an empty cache. Null: none.</param>
    public Tensor Hidden(Tensor tokens, KeyValueCache cache, int[]? padding = null)
    {
        if (padding is not null && padding.Any(p => p > 0))
        {
            if (cache.Length > 0) throw new ArgumentException("padding can only be given for the first tokens of a cache", nameof(padding));
            cache.Padding = padding;
        }
        var hidden = Run(tokens, cache);
        cache.Length += (int)tokens.shape[1];
        return hidden;
    }

    /// <summary>Logits over the vocabulary for hidden states [..., hidden]: [..., V].</summary>
    public Tensor Logits(Tensor hidden) => nn.functional.linear(hidden, Parameters[Config.TieWordEmbeddings ? "embed" : "head"]);

    private Tensor Run(Tensor tokens, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var attention = new AttentionPlan(tokens, cache);
        var x = Parameters["embed"].index_select(0, tokens.flatten()).view(tokens.shape[0], tokens.shape[1], Config.HiddenSize); // [B, T, H]
        for (var layer = 0; layer < Config.Layers; layer++)
        {
            var name = $"model.layers.{layer}";
            x = x + Attention(RmsNorm.Apply(x, Parameters[$"{name}.input_layernorm.weight"], Config.RmsNormEps), layer, cache, attention);
            x = x + FeedForward(RmsNorm.Apply(x, Parameters[$"{name}.post_attention_layernorm.weight"], Config.RmsNormEps), layer);
        }
        return RmsNorm.Apply(x, Parameters["model.norm.weight"], Config.RmsNormEps).MoveToOuterDisposeScope();
    }

    private Tensor Attention(Tensor x, int layer, KeyValueCache? cache, AttentionPlan plan)
    {
        int heads = Config.AttentionHeads, kvHeads = Config.KeyValueHeads, dim = Config.HeadDim, group = heads / kvHeads;
        long batch = x.shape[0], length = x.shape[1];
        var qkv = nn.functional.linear(x, Parameters[$"{layer}.qkv"]).view(batch, length, heads + (2 * kvHeads), dim);
        var qk = qkv.narrow(2, 0, heads + kvHeads); // queries and keys are normalised and rotated together
        var norm = cat([
            Parameters[$"model.layers.{layer}.self_attn.q_norm.weight"].expand(heads, dim),
            Parameters[$"model.layers.{layer}.self_attn.k_norm.weight"].expand(kvHeads, dim)]);
        qk = rotary.Apply(RmsNorm.Apply(qk, norm, Config.RmsNormEps), plan.First, plan.Positions, plan.Last).transpose(1, 2); // [B, heads + kv, T, D]
        var q = qk.narrow(1, 0, heads);
        var k = qk.narrow(1, heads, kvHeads);
        var v = qkv.narrow(2, heads + kvHeads, kvHeads).transpose(1, 2);
        if (cache is not null) (k, v) = cache.Append(layer, k, v);

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
        return nn.functional.linear(output, Parameters[$"{layer}.o"]);
    }

    private Tensor FeedForward(Tensor x, int layer)
    {
        var gateUp = nn.functional.linear(x, Parameters[$"{layer}.gate_up"]);
        var gate = gateUp.narrow(-1, 0, Config.IntermediateSize);
        var up = gateUp.narrow(-1, Config.IntermediateSize, Config.IntermediateSize);
        return nn.functional.linear(nn.functional.silu(gate) * up, Parameters[$"{layer}.down"]);
    }

    public void Dispose() => rotary.Dispose();

    /// <summary>Which keys each query of one call sees, and at which positions the queries stand; the same in every layer.</summary>
    private readonly struct AttentionPlan
    {
        /// <summary>Position of the first query where all rows agree.</summary>
        public readonly int First;

        public readonly int Last;

        /// <summary>[B, T] where rows are padded differently, else null.</summary>
        public readonly Tensor? Positions;

        /// <summary>Additive, broadcast to [B, heads, T, keys]; null where <see cref="Causal"/> or everything is visible.</summary>
        public readonly Tensor? Mask;

        public readonly bool Causal;

        public AttentionPlan(Tensor tokens, KeyValueCache? cache)
        {
            int count = (int)tokens.shape[1], padded = cache?.Padding.Length ?? 0;
            First = cache?.Length ?? 0;
            Last = First + count - 1;
            Causal = count > 1 && First == 0 && padded == 0;
            if (padded == 0 && (Causal || count == 1)) return;

            var device = tokens.device;
            var queries = arange(First, First + count, dtype: int64, device: device); // slots in the cache
            var keys = arange(First + count, dtype: int64, device: device);
            var visible = keys.unsqueeze(0) <= queries.unsqueeze(1); // [T, keys]
            if (padded > 0)
            {
                var padding = tensor(cache!.Padding.Select(p => (long)p).ToArray(), device: device);
                Positions = (queries.unsqueeze(0) - padding.unsqueeze(1)).clamp_min(0); // [B, T]
                // A padding token sees itself, or its softmax over nothing would be NaN and spread.
                var real = (keys.unsqueeze(0) >= padding.unsqueeze(1)).unsqueeze(1); // [B, 1, keys]
                var self = keys.unsqueeze(0).eq(queries.unsqueeze(1)); // [T, keys]
                visible = visible.logical_and(real.logical_or(self)).unsqueeze(1); // [B, 1, T, keys]
            }
            Mask = zeros(visible.shape, dtype: float32, device: device).masked_fill_(visible.logical_not(), float.NegativeInfinity);
        }
    }
}
