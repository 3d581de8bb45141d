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
        var (heads, kvHeads, dim) = attention.Shape;
        var split = qkv.view(-1, heads + (2 * kvHeads), dim);
        var qk = split.narrow(1, 0, heads + kvHeads); // queries and keys are normalised and rotated together
        if (attention.QueryNorm is { } queryNorm)
            qk = RmsNorm.Compose(qk, cat([queryNorm.expand(heads, dim), attention.KeyNorm!.expand(kvHeads, dim)]), attention.NormEps);
        if (attention.Rotary is { } rotary) qk = rotary.Apply(qk, plan.PositionIndex, plan.LastPosition);
        var q = qk.narrow(1, 0, heads); // [M, heads, D]
        var k = qk.narrow(1, heads, kvHeads);
        var v = split.narrow(1, heads + kvHeads, kvHeads);
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
            outputs.Add(Attend(attention.Shape, part.Of(q), keys, values, part.Mask(q.dtype)).flatten(0, 1));
        }
        return plan.Packed(outputs);
    }

    private static Tensor Cached(AttentionShape shape, Tensor q, Tensor k, Tensor v, ForwardPlan plan, DecoderState state, KeyValueState cache)
    {
        var part = plan.Parts[0];
        cache.Store(part.Storage(shape.KeyValueHeads, state.Capacity), k, v);
        var (keys, values) = (cache.Keys.narrow(2, 0, part.OwnLength), cache.Values.narrow(2, 0, part.OwnLength)); // [N, kv, own, D]
        var output = state.Parent is null
            ? Attend(shape, part.Of(q), keys, values, part.Mask(q.dtype))
            : AttendForked(shape, part.Of(q), keys, values, cache.Parent!, plan.Forked, part);
        return plan.Packed([output.flatten(0, 1)]);
    }

    /// <summary>
    /// Rows that share a prefix are folded into the query dimension, so that its keys and values are read once for all of them and never copied.
    /// </summary>
    /// <param name="q">[N, T, heads, D].</param>
    /// <param name="keys">[N, kv, own, D].</param>
    /// <returns>[N, T, heads D].</returns>
    private static Tensor AttendForked(
        AttentionShape shape, Tensor q, Tensor keys, Tensor values, KeyValueState parent, ForkedRows forked, SequenceRectangle part)
    {
        long rows = q.shape[0], length = q.shape[1], kv = shape.KeyValueHeads, dim = shape.HeadDim, folded = shape.Group * length;
        var prefixKeys = parent.Keys.narrow(2, 0, part.PrefixLength); // [parents, kv, P, D]
        var prefixValues = parent.Values.narrow(2, 0, part.PrefixLength);
        var parents = prefixKeys.shape[0];
        var queries = q.view(rows, length, kv, shape.Group, dim).permute(0, 2, 3, 1, 4).reshape(rows, kv, folded, dim);

        var scores = cat([Rows(Folded(queries).matmul(prefixKeys.transpose(2, 3))), queries.matmul(keys.transpose(2, 3))], -1).Times(shape.Scale);
        if (part.Mask(q.dtype) is { } mask) scores = scores.view(rows, kv, shape.Group, length, -1).Plus(mask.unsqueeze(2)).view(rows, kv, folded, -1);
        var weights = nn.functional.softmax(scores.AtLeastFloat32(), -1).to(q.dtype); // [N, kv, folded, P + own]
        var output = Rows(Folded(weights.narrow(-1, 0, part.PrefixLength)).matmul(prefixValues))
            .Plus(weights.narrow(-1, part.PrefixLength, part.OwnLength).matmul(values)); // [N, kv, folded, D]
        return output.view(rows, kv, shape.Group, length, dim).permute(0, 3, 1, 2, 4).reshape(rows, length, shape.Heads * dim);

        // [N, kv, folded, x] to [parents, kv, most * folded, x], and back.
        Tensor Folded(Tensor x) => x.index_select(0, forked.ToRectangle).view(parents, forked.Most, kv, folded, -1).transpose(1, 2)
            .reshape(parents, kv, forked.Most * folded, -1);
        Tensor Rows(Tensor x) => x.view(parents, kv, forked.Most, folded, -1).transpose(1, 2).reshape(parents * forked.Most, kv, folded, -1)
            .index_select(0, forked.ToRows);
    }

    /// <param name="q">[n, T, heads, D].</param>
    /// <param name="k">[n, kv, keys, D].</param>
    /// <param name="mask">[n, 1, T, keys], additive.</param>
    /// <returns>[n, T, heads D].</returns>
    private static Tensor Attend(AttentionShape shape, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var (rows, length) = (q.shape[0], q.shape[1]);
        Tensor Heads(Tensor x) => x.repeat_interleave(shape.Group, 1); // [n, heads, keys, D]
        return nn.functional.scaled_dot_product_attention(q.transpose(1, 2), Heads(k), Heads(v), mask)
            .transpose(1, 2).reshape(rows, length, shape.Heads * shape.HeadDim);
    }
}
