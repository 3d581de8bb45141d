using Rlp.Models.Kernels;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Attention over packed sequences by torch operations, for any device and type: the sequences are laid out as padded rectangles.</summary>
internal static class RectangleAttention
{
    /// <param name="qkv">[M, (heads + 2 kv) D].</param>
    /// <returns>[M, heads D].</returns>
    public static Tensor Apply(GroupedQueryAttention attention, Tensor qkv, ForwardPlan plan, DecoderState? state, KeyValueState? cache)
    {
        var (q, k, v) = Heads(attention, qkv, attention.Rotary is { } rotary ? plan.Rotation(rotary, qkv.dtype) : null);
        if (state is not null) return Cached(attention.Shape, q, k, v, plan, state, cache!);

        var outputs = new List<Tensor>();
        foreach (var part in plan.Parts)
        {
            var (keys, values) = (part.Of(k).transpose(1, 2), part.Of(v).transpose(1, 2)); // [n, kv, T, D]
            if (part.Continued is { } continued)
            {
                keys = cat([continued.Of(k).index_select(0, part.ContinuedRows!).transpose(1, 2), keys], 2);
                values = cat([continued.Of(v).index_select(0, part.ContinuedRows!).transpose(1, 2), values], 2);
            }
            outputs.Add(Attend(attention.Shape, part.Of(q), keys, values, part).flatten(0, 1));
        }
        return plan.Packed(outputs);
    }

    /// <summary>Normalised and rotated queries and keys, and values: [M, heads, D], and [M, kv, D] twice.</summary>
    /// <param name="rotation">See <see cref="RotaryEmbedding.At"/>; null: none.</param>
    public static (Tensor Queries, Tensor Keys, Tensor Values) Heads(GroupedQueryAttention attention, Tensor qkv, (Tensor Cosine, Tensor Sine)? rotation)
    {
        var (heads, kvHeads, dim) = attention.Shape;
        var split = qkv.view(-1, heads + (2 * kvHeads), dim);
        var qk = split.narrow(1, 0, heads + kvHeads); // queries and keys are normalised and rotated together
        if (attention.QueryNorm is { } queryNorm)
            qk = RmsNorm.Compose(qk, cat([queryNorm.expand(heads, dim), attention.KeyNorm!.expand(kvHeads, dim)]), attention.NormEps);
        if (rotation is var (cosine, sine)) qk = RotaryEmbedding.Apply(qk, cosine, sine);
        return (qk.narrow(1, 0, heads), qk.narrow(1, heads, kvHeads), split.narrow(1, heads + kvHeads, kvHeads));
    }

    private static Tensor Cached(AttentionShape shape, Tensor q, Tensor k, Tensor v, ForwardPlan plan, DecoderState state, KeyValueState cache)
    {
        var part = plan.Parts[0];
        if (part.CommonPlace is { } place) cache.Store(place, k, v);
        else cache.Store(part.Storage(shape.KeyValueHeads, state.Capacity), k, v);
        var (keys, values) = (cache.Keys.narrow(2, 0, part.OwnLength), cache.Values.narrow(2, 0, part.OwnLength)); // [N, kv, own, D]
        var output = state.Parent is null
            ? Attend(shape, part.Of(q), keys, values, part)
            : AttendForked(
                shape, part.Of(q), keys, values, cache.Parent!.Keys.narrow(2, 0, part.PrefixLength), cache.Parent.Values.narrow(2, 0, part.PrefixLength),
                plan.Forked, part.Mask(q.dtype));
        return plan.Packed([output.flatten(0, 1)]);
    }

    /// <summary>
    /// Rows that share a prefix are folded into the query dimension, so that its keys and values are read once for all of them and never copied.
    /// </summary>
    /// <param name="q">[N, T, heads, D].</param>
    /// <param name="keys">[N, kv, own, D].</param>
    /// <param name="prefixKeys">[parents, kv, P, D].</param>
    /// <param name="mask">[N or 1, 1, T, P + own], additive; null: everything is seen.</param>
    /// <returns>[N, T, heads D].</returns>
    public static Tensor AttendForked(
        AttentionShape shape, Tensor q, Tensor keys, Tensor values, Tensor prefixKeys, Tensor prefixValues, ForkedRows forked, Tensor? mask)
    {
        long rows = q.shape[0], length = q.shape[1], kv = shape.KeyValueHeads, dim = shape.HeadDim, folded = shape.Group * length;
        long parents = prefixKeys.shape[0], prefixLength = prefixKeys.shape[2], ownLength = keys.shape[2];
        q = q.Times(shape.Scale);
        var queries = length == 1 ? q.reshape(rows, kv, folded, dim)
            : q.view(rows, length, kv, shape.Group, dim).permute(0, 2, 3, 1, 4).reshape(rows, kv, folded, dim);

        var prefixScores = Spread(Folded(queries).matmul(prefixKeys.transpose(2, 3))); // [parents, most, kv, folded, P]
        var ownScores = queries.matmul(keys.transpose(2, 3)); // [N, kv, folded, own]
        var scores = forked.ToRows is { } toRows
            ? cat([prefixScores.flatten(0, 1).index_select(0, toRows), ownScores], -1)
            : cat([prefixScores, ownScores.unflatten(0, [parents, forked.Most])], -1).flatten(0, 1); // [N, kv, folded, P + own]
        if (mask is not null) scores = scores.view(rows, kv, shape.Group, length, -1).Plus(mask.unsqueeze(2)).view(rows, kv, folded, -1);
        var weights = nn.functional.softmax(scores, -1); // sums in float32, whatever the type
        var prefixOutput = Spread(Folded(weights.narrow(-1, 0, prefixLength)).matmul(prefixValues)); // [parents, most, kv, folded, D]
        var ownOutput = weights.narrow(-1, prefixLength, ownLength).matmul(values); // [N, kv, folded, D]
        var output = forked.ToRows is { } places
            ? prefixOutput.flatten(0, 1).index_select(0, places).Plus(ownOutput)
            : prefixOutput.Plus(ownOutput.unflatten(0, [parents, forked.Most]));
        return length == 1 ? output.reshape(rows, 1, shape.Heads * dim)
            : output.reshape(rows, kv, shape.Group, length, dim).permute(0, 3, 1, 2, 4).reshape(rows, length, shape.Heads * dim);

        // [N, kv, folded, x] to [parents, kv, most * folded, x], and back to [parents, most, kv, folded, x].
        Tensor Folded(Tensor x) => (forked.ToRectangle is { } order ? x.index_select(0, order) : x).unflatten(0, [parents, forked.Most]).transpose(1, 2)
            .reshape(parents, kv, forked.Most * folded, -1);
        Tensor Spread(Tensor x) => x.view(parents, kv, forked.Most, folded, -1).transpose(1, 2);
    }

    /// <param name="q">[n, T, heads, D].</param>
    /// <param name="k">[n, kv, keys, D].</param>
    /// <returns>[n, T, heads D].</returns>
    private static Tensor Attend(AttentionShape shape, Tensor q, Tensor k, Tensor v, SequenceRectangle part)
    {
        var (rows, length) = (q.shape[0], q.shape[1]);
        Tensor Heads(Tensor x) => x.repeat_interleave(shape.Group, 1); // [n, heads, keys, D]
        return nn.functional.scaled_dot_product_attention(q.transpose(1, 2), Heads(k), Heads(v), part.Causal ? null : part.Mask(q.dtype), is_casual: part.Causal)
            .transpose(1, 2).reshape(rows, length, shape.Heads * shape.HeadDim);
    }
}
