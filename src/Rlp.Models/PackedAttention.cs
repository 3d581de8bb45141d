using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Attention over packed sequences by <see cref="AttentionKernel"/>: norm and rotation of queries and keys, attention, and their gradient in one.</summary>
internal static unsafe class PackedAttention
{
    private const int RowGrain = 16;

    /// <param name="qkv">[M, (heads + 2 kv) D], contiguous float32.</param>
    /// <returns>[M, heads D].</returns>
    public static Tensor Apply(GroupedQueryAttention attention, Tensor qkv, ForwardPlan plan, DecoderState? state, KeyValueState? cache)
    {
        if (is_grad_enabled() && qkv.requires_grad) return AttentionFunction.apply(qkv, attention.QueryNorm!, attention.KeyNorm!, attention, plan);
        using var scope = NewDisposeScope();
        var rotated = Rotated(attention, qkv, plan);
        Tensor output = empty(qkv.shape[0], attention.Shape.Heads * attention.Shape.HeadDim), logSumExp = empty(qkv.shape[0], attention.Shape.Heads);
        var segments = state is null
            ? Segments(attention, qkv, rotated, output, logSumExp, plan)
            : CachedSegments(attention, qkv, rotated, output, logSumExp, plan, state, cache!);
        AttentionKernel.Forward(attention.Shape, segments);
        return output.MoveToOuterDisposeScope();
    }

    /// <summary>Normalised and rotated queries and keys, [M, (heads + kv) D]; the projections themselves where a layer does neither.</summary>
    private static Tensor Rotated(GroupedQueryAttention attention, Tensor qkv, ForwardPlan plan)
    {
        if (attention.QueryNorm is null && attention.Rotary is null) return qkv;
        var (shape, eps) = (attention.Shape, (float)attention.NormEps);
        int dim = shape.HeadDim, heads = shape.Heads + shape.KeyValueHeads;
        var rotated = empty(qkv.shape[0], heads * dim);
        float* source = CpuKernels.Pointer(qkv), target = CpuKernels.Pointer(rotated);
        var (queryNorm, keyNorm) = Norms(attention);
        var (cosine, sine) = Tables(attention, plan);
        NativeThreads.For(qkv.shape[0], RowGrain, (begin, end) =>
        {
            for (var row = begin; row < end; row++)
            {
                for (var head = 0; head < heads; head++)
                {
                    float* from = source + (row * shape.Width) + (head * dim), to = target + (((row * heads) + head) * dim);
                    if (queryNorm is null) Buffer.MemoryCopy(from, to, dim * sizeof(float), dim * sizeof(float));
                    else NormKernel.Forward(from, head < shape.Heads ? queryNorm : keyNorm, to, dim, eps);
                    if (cosine is not null) RotaryKernel.Forward(to, cosine + ((long)plan.Positions[row] * dim), sine + ((long)plan.Positions[row] * dim), dim);
                }
            }
        });
        return rotated;
    }

    private static FloatPointers Norms(GroupedQueryAttention attention) => attention.QueryNorm is null
        ? default : new FloatPointers(CpuKernels.Pointer(attention.QueryNorm), CpuKernels.Pointer(attention.KeyNorm!));

    private static FloatPointers Tables(GroupedQueryAttention attention, ForwardPlan plan) =>
        attention.Rotary is { } rotary ? rotary.Tables(plan.LastPosition) : default;

    private static AttentionSegment[] Segments(
        GroupedQueryAttention attention, Tensor qkv, Tensor rotated, Tensor output, Tensor logSumExp, ForwardPlan plan)
    {
        var shape = attention.Shape;
        var stride = rotated.shape[1];
        float* values = CpuKernels.Pointer(qkv) + ((shape.Heads + shape.KeyValueHeads) * shape.HeadDim);
        float* queries = CpuKernels.Pointer(rotated), keys = queries + (shape.Heads * shape.HeadDim);
        float* results = CpuKernels.Pointer(output), sums = CpuKernels.Pointer(logSumExp);
        var segments = new AttentionSegment[plan.Tokens.Count];
        for (var i = 0; i < segments.Length; i++)
        {
            long start = plan.Tokens.Starts[i];
            segments[i] = new AttentionSegment
            {
                Queries = queries + (start * stride),
                QueryStride = stride,
                Count = plan.Tokens.Lengths[i],
                Own = Block(i),
                Prefix = plan.Tokens.Continues[i] is var c && c >= 0 ? Block(c) : default,
                Output = results + (start * shape.Heads * shape.HeadDim),
                LogSumExp = sums + (start * shape.Heads),
            };
        }
        return segments;

        KeyBlock Block(int sequence) => new()
        {
            Keys = keys + (plan.Tokens.Starts[sequence] * stride),
            KeyStride = stride,
            Values = values + ((long)plan.Tokens.Starts[sequence] * shape.Width),
            ValueStride = shape.Width,
            HeadStride = shape.HeadDim,
            Count = plan.Tokens.Lengths[sequence],
        };
    }

    /// <summary>Stores the new keys and values in the state, whose blocks the queries then see.</summary>
    private static AttentionSegment[] CachedSegments(
        GroupedQueryAttention attention, Tensor qkv, Tensor rotated, Tensor output, Tensor logSumExp, ForwardPlan plan, DecoderState state, KeyValueState cache)
    {
        var shape = attention.Shape;
        long bytes = shape.HeadDim * sizeof(float);
        var segments = Segments(attention, qkv, rotated, output, logSumExp, plan);
        for (var row = 0; row < segments.Length; row++)
        {
            ref var segment = ref segments[row];
            var own = cache.Block(state.Slots[row], state.Lengths[row] + segment.Count);
            for (var t = 0; t < segment.Count; t++)
            {
                var place = (state.Lengths[row] + t) * (long)shape.HeadDim;
                for (var head = 0; head < shape.KeyValueHeads; head++)
                {
                    Buffer.MemoryCopy(segment.Own.KeysOf(head) + (t * segment.Own.KeyStride), own.KeysOf(head) + place, bytes, bytes);
                    Buffer.MemoryCopy(segment.Own.ValuesOf(head) + (t * segment.Own.ValueStride), own.ValuesOf(head) + place, bytes, bytes);
                }
            }
            segment.Own = own;
            if (state.Parent is { } parent)
                segment.Prefix = cache.Parent!.Block(parent.Slots[state.ParentRows[row]], parent.Lengths[state.ParentRows[row]]);
        }
        return segments;
    }

    private sealed class AttentionFunction : KernelFunction<AttentionFunction>
    {
        public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
        {
            var (qkv, attention, plan) = ((Tensor)arguments[0], (GroupedQueryAttention)arguments[3], (ForwardPlan)arguments[4]);
            var rotated = Rotated(attention, qkv, plan);
            Tensor output = empty(qkv.shape[0], attention.Shape.Heads * attention.Shape.HeadDim), logSumExp = empty(qkv.shape[0], attention.Shape.Heads);
            AttentionKernel.Forward(attention.Shape, Segments(attention, qkv, rotated, output, logSumExp, plan));
            context.save_for_backward([qkv, rotated, output, logSumExp]);
            context.save_data(nameof(GroupedQueryAttention), attention);
            context.save_data(nameof(ForwardPlan), plan);
            return output;
        }

        protected override List<Tensor?> Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var attention = (GroupedQueryAttention)context.get_data(nameof(GroupedQueryAttention));
            var plan = (ForwardPlan)context.get_data(nameof(ForwardPlan));
            var (shape, tokens) = (attention.Shape, plan.Tokens);
            var (qkv, rotated, output, logSumExp) = (saved[0], saved[1], saved[2], saved[3]);
            var projected = zeros_like(qkv); // gradients of queries and keys after rotation, then, in place, before norm and rotation
            float* queries = CpuKernels.Pointer(projected), keys = queries + (shape.Heads * shape.HeadDim);
            var values = keys + (shape.KeyValueHeads * shape.HeadDim);
            var given = CpuKernels.Pointer(gradient);
            var gradients = new AttentionGradient[tokens.Count];
            for (var i = 0; i < gradients.Length; i++)
            {
                long own = (long)tokens.Starts[i] * shape.Width, prefix = tokens.Continues[i] is var c && c >= 0 ? (long)tokens.Starts[c] * shape.Width : 0;
                gradients[i] = new AttentionGradient
                {
                    Output = given + ((long)tokens.Starts[i] * shape.Heads * shape.HeadDim),
                    Queries = queries + own,
                    OwnKeys = keys + own,
                    OwnValues = values + own,
                    PrefixKeys = keys + prefix,
                    PrefixValues = values + prefix,
                };
            }
            AttentionKernel.Backward(shape, Segments(attention, qkv, rotated, output, logSumExp, plan), gradients, plan.Trees());
            var (queryNorm, keyNorm) = Unrotate(attention, qkv, projected, plan);
            return [projected, queryNorm, keyNorm, null, null];
        }

        /// <summary>Takes the gradients of queries and keys back through rotation and norm, in place; returns those of the norms' weights.</summary>
        private static (Tensor? QueryNorm, Tensor? KeyNorm) Unrotate(GroupedQueryAttention attention, Tensor qkv, Tensor projected, ForwardPlan plan)
        {
            var (shape, eps) = (attention.Shape, (float)attention.NormEps);
            int dim = shape.HeadDim, threads = get_num_threads();
            float* source = CpuKernels.Pointer(qkv), gradient = CpuKernels.Pointer(projected);
            var (queryNorm, keyNorm) = Norms(attention);
            var (cosine, sine) = Tables(attention, plan);
            if (queryNorm is null && cosine is null) return (null, null);
            using var normGradients = zeros(threads, 2, dim); // of each thread
            var sums = CpuKernels.Pointer(normGradients);
            long rows = qkv.shape[0];
            NativeThreads.Run((int)Math.Min(threads, (rows + RowGrain - 1) / RowGrain), (thread, count) =>
            {
                var mine = sums + ((long)thread * 2 * dim);
                for (var row = rows * thread / count; row < rows * (thread + 1) / count; row++)
                {
                    for (var head = 0; head < shape.Heads + shape.KeyValueHeads; head++)
                    {
                        float* x = source + (row * shape.Width) + (head * dim), g = gradient + (row * shape.Width) + (head * dim);
                        if (cosine is not null) RotaryKernel.Backward(g, cosine + ((long)plan.Positions[row] * dim), sine + ((long)plan.Positions[row] * dim), dim);
                        if (queryNorm is null) continue;
                        var isQuery = head < shape.Heads;
                        NormKernel.Backward(x, isQuery ? queryNorm : keyNorm, g, g, mine + (isQuery ? 0 : dim), dim, eps);
                    }
                }
            });
            if (queryNorm is null) return (null, null);
            var total = normGradients.sum(dim: 0);
            return (total.select(0, 0).clone(), total.select(0, 1).clone());
        }
    }
}
