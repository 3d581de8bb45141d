using static TorchSharp.torch;

namespace Rlp.Models.Kernels;

/// <summary>
/// One token for every row of a state of a <see cref="TransformerDecoder"/>, on raw memory: buffers are made once for a state, and no tensor is
/// made for a token. Many rows are divided among the threads, each of which takes its rows through all layers without waiting for the others; few
/// rows are computed together, the output columns of each product divided among the threads.
/// </summary>
internal sealed unsafe class DecodingStep : IDisposable
{
    private const int RowsOfATile = 32;
    private const int FewQueries = 8; // a library's product takes longer to begin than to compute them
    private const int RowsOfAThread = 8; // fewer, and reading the weights takes longer than computing with them

    private readonly AttentionShape shape;
    private readonly DecoderState state;
    private readonly Layer[] layers;
    private readonly float* embedding, finalNorm;
    private readonly PackedMatrix head;
    private readonly RotaryEmbedding rotary;
    private readonly Tensor logits;
    private readonly Scratch hidden, normalised, projected, queries, attended, gateUp, gated;
    private readonly Scratch[] scores;
    private readonly int width, inner, vocabulary, columns;
    private readonly float eps;
    private readonly Action<int, int> divided;
    private Tensor result;
    private long* tokens;
    private float* cosine, sine;

    public DecodingStep(TransformerDecoder decoder, DecoderState state)
    {
        var config = decoder.Config;
        this.state = state;
        (shape, rotary) = (new AttentionShape(config.AttentionHeads, config.KeyValueHeads, config.HeadDim), decoder.Rotary);
        (width, inner, vocabulary, eps) = (config.HiddenSize, config.IntermediateSize, config.VocabularySize, (float)config.RmsNormEps);
        embedding = CpuKernels.Pointer(decoder.EmbeddingMatrix);
        finalNorm = CpuKernels.Pointer(decoder.FinalNormWeight);
        var packed = decoder.Pack();
        head = packed.Head;
        layers = [.. Enumerable.Range(0, config.Layers).Select(i => new Layer(decoder, packed, state, i))];
        columns = (int)(AttentionKernel.Rounded(state.Parent?.Lengths.Max() ?? 0) + AttentionKernel.Rounded(state.Capacity));
        long rows = state.Rows;
        (hidden, normalised) = (new Scratch(rows * width), new Scratch(rows * width));
        (projected, queries) = (new Scratch(rows * shape.Width), new Scratch(rows * shape.Heads * shape.HeadDim));
        attended = new Scratch(rows * shape.Heads * shape.HeadDim);
        (gateUp, gated) = (new Scratch(rows * 2 * inner), new Scratch(rows * inner));
        scores = [.. Enumerable.Range(0, Math.Max(1, get_num_threads())).Select(_ => new Scratch((long)RowsOfATile * shape.Group * (columns + shape.HeadDim)))];
        logits = empty(rows, vocabulary).DetachFromDisposeScope();
        result = logits.alias().DetachFromDisposeScope();
        divided = (thread, threads) => Rows(state.Rows * thread / threads, state.Rows * (thread + 1) / threads, thread, together: false);
    }

    /// <summary>Logits over the token after the given one of each row, [rows, V], valid until the next call; extends the state.</summary>
    public Tensor Run(Tensor next)
    {
        var rows = state.Rows;
        tokens = CpuKernels.Integers(next);
        var last = 0;
        for (var row = 0; row < rows; row++)
        {
            state.Expect(row, 1);
            last = Math.Max(last, state.Position(row));
        }
        rotary.Tables(last).Deconstruct(out cosine, out sine);
        var threads = Math.Min(get_num_threads(), scores.Length);
        if (rows >= RowsOfAThread * threads) NativeThreads.Run(threads, divided);
        else Rows(0, rows, 0, together: true);
        for (var row = 0; row < rows; row++) state.Advance(row, 1);
        if (result.shape[0] != rows)
        {
            result.Dispose();
            result = logits.narrow(0, 0, rows).DetachFromDisposeScope();
        }
        return result;
    }

    /// <summary>Takes some rows through all layers.</summary>
    /// <param name="together">Whether all threads work on these rows; else this thread alone.</param>
    private void Rows(int begin, int end, int thread, bool together)
    {
        for (var row = begin; row < end; row++)
            Buffer.MemoryCopy(embedding + (tokens[row] * width), hidden + ((long)row * width), width * sizeof(float), width * sizeof(float));
        foreach (var layer in layers)
        {
            Normalise(layer.AttentionNorm, begin, end);
            Multiply(begin, end, normalised, layer.Projection, layer.ProjectionBias, projected, add: false, together);
            for (var row = begin; row < end; row++) Rotate(layer, row);
            Attend(layer, begin, end, thread, together);
            Multiply(begin, end, attended, layer.Output, layer.OutputBias, hidden, add: true, together);
            Normalise(layer.MlpNorm, begin, end);
            Multiply(begin, end, normalised, layer.GateUp, layer.GateUpBias, gateUp, add: false, together);
            for (var row = begin; row < end; row++)
            {
                var gate = gateUp + ((long)row * 2 * inner);
                SwiGluKernel.Forward(gate, gate + inner, gated + ((long)row * inner), inner);
            }
            Multiply(begin, end, gated, layer.Down, layer.DownBias, hidden, add: true, together);
        }
        Normalise(finalNorm, begin, end);
        Multiply(begin, end, normalised, head, null, CpuKernels.Pointer(logits), add: false, together);
    }

    private void Normalise(float* weight, int begin, int end)
    {
        for (long row = begin; row < end; row++) NormKernel.Forward(hidden + (row * width), weight, normalised + (row * width), width, eps);
    }

    /// <summary>y = x W^T + bias, or added to y, for some rows.</summary>
    private static void Multiply(int begin, int end, float* x, PackedMatrix matrix, float* bias, float* y, bool add, bool together)
    {
        var rows = end - begin;
        float* from = x + ((long)begin * matrix.Inputs), to = y + ((long)begin * matrix.Outputs);
        if (together) NativeThreads.For(matrix.Panels, 1, (first, last) => matrix.Multiply(from, to, rows, add, (int)first, (int)last));
        else matrix.Multiply(from, to, rows, add, 0, matrix.Panels);
        if (bias is null) return;
        for (long row = 0; row < rows; row++) Floats.Add(to + (row * matrix.Outputs), bias, matrix.Outputs);
    }

    private void Attend(Layer layer, int begin, int end, int thread, bool together)
    {
        if (together)
            NativeThreads.Run(Math.Min(shape.KeyValueHeads, scores.Length), (one, threads) =>
                Attend(layer, begin, end, one, shape.KeyValueHeads * one / threads, shape.KeyValueHeads * (one + 1) / threads));
        else Attend(layer, begin, end, thread, 0, shape.KeyValueHeads);
    }

    private void Attend(Layer layer, int begin, int end, int thread, int firstHead, int lastHead)
    {
        for (var row = begin; row < end;)
        {
            var stop = row + 1;
            while (stop < end && stop - row < RowsOfATile && state.Parent is not null && state.ParentRows[stop] == state.ParentRows[row]) stop++;
            AttendAlike(layer, row, stop, firstHead, lastHead, scores[thread]);
            row = stop;
        }
    }

    /// <summary>Norm and rotation of a row's queries and keys; keys and values go to the state.</summary>
    private void Rotate(Layer layer, int row)
    {
        int dim = shape.HeadDim, bytes = dim * sizeof(float), position = state.Position(row);
        float* source = projected + ((long)row * shape.Width), cos = cosine + ((long)position * dim), sin = sine + ((long)position * dim);
        for (var head = 0; head < shape.Heads + shape.KeyValueHeads; head++)
        {
            var isQuery = head < shape.Heads;
            float* from = source + (head * dim), to = isQuery ? queries + ((((long)row * shape.Heads) + head) * dim) : layer.Keys + Place(row, head - shape.Heads);
            if (layer.QueryNorm is null) Buffer.MemoryCopy(from, to, bytes, bytes);
            else NormKernel.Forward(from, isQuery ? layer.QueryNorm : layer.KeyNorm, to, dim, eps);
            RotaryKernel.Forward(to, cos, sin, dim);
        }
        source += (shape.Heads + shape.KeyValueHeads) * dim;
        for (var head = 0; head < shape.KeyValueHeads; head++) Buffer.MemoryCopy(source + (head * dim), layer.Values + Place(row, head), bytes, bytes);

        long Place(int ofRow, int head) => Own(ofRow, head) + ((long)state.Lengths[ofRow] * dim);
    }

    /// <summary>Attention of rows that continue the same prefix: its scores and values by one product for all of them, their own tokens row by row.</summary>
    private void AttendAlike(Layer layer, int begin, int end, int firstHead, int lastHead, float* line)
    {
        int dim = shape.HeadDim, group = shape.Group, count = (end - begin) * group, prefix = 0;
        long prefixStart = 0, prefixHead = 0;
        if (state.Parent is { } parent)
        {
            var parentRow = state.ParentRows[begin];
            prefix = parent.Lengths[parentRow];
            prefixHead = (long)parent.Capacity * dim;
            prefixStart = parent.Slots[parentRow] * shape.KeyValueHeads * prefixHead;
        }
        var prefixColumns = (int)AttentionKernel.Rounded(prefix);
        var outputs = line + ((long)count * columns); // [count, D]
        for (var head = firstHead; head < lastHead; head++)
        {
            var start = prefixStart + (head * prefixHead);
            for (var row = begin; row < end; row++) // the queries of a head's group, row behind row
                Buffer.MemoryCopy(queries + ((((long)row * shape.Heads) + (head * group)) * dim), outputs + ((long)(row - begin) * group * dim),
                    group * dim * sizeof(float), group * dim * sizeof(float));
            if (count <= FewQueries)
                for (var i = 0; i < count; i++)
                    VectorProduct.Rows(layer.PrefixKeys + start, outputs + ((long)i * dim), line + ((long)i * columns), prefix, dim);
            else if (prefix > 0) Blas.TimesTransposed(count, prefix, dim, 1, outputs, dim, layer.PrefixKeys + start, dim, 0, line, columns);
            for (var i = 0; i < count; i++)
            {
                var row = begin + (i / group);
                int own = state.Lengths[row] + 1, length = prefixColumns + (int)AttentionKernel.Rounded(own);
                var values = line + ((long)i * columns);
                new Span<float>(values + prefix, prefixColumns - prefix).Fill(float.NegativeInfinity);
                if (i % group == 0) VectorProduct.Prefetch(layer.Values + Own(row, head), own * dim); // wanted when the scores are done
                VectorProduct.Rows(layer.Keys + Own(row, head), outputs + ((long)i * dim), values + prefixColumns, own, dim);
                new Span<float>(values + prefixColumns + own, length - prefixColumns - own).Fill(float.NegativeInfinity);
                var sum = Floats.ExpSum(values, shape.Scale, Floats.Max(values, length) * shape.Scale, length);
                Floats.Scale(values, 1 / sum, length);
            }
            if (count > FewQueries && prefix > 0) Blas.Times(count, dim, prefix, 1, line, columns, layer.PrefixValues + start, dim, 0, outputs, dim);
            else new Span<float>(outputs, count * dim).Clear();
            if (count <= FewQueries)
                for (var i = 0; i < count; i++)
                    VectorProduct.WeightedSum(
                        layer.PrefixValues + start, line + ((long)i * columns), outputs + ((long)i * dim), outputs + ((long)i * dim), prefix, dim);
            for (var i = 0; i < count; i++)
            {
                var row = begin + (i / group);
                var target = attended + ((((long)row * shape.Heads) + (head * group) + (i % group)) * dim);
                VectorProduct.WeightedSum(layer.Values + Own(row, head), line + ((long)i * columns) + prefixColumns, outputs + ((long)i * dim), target, state.Lengths[row] + 1, dim);
            }
        }
    }

    /// <summary>Where a row's own keys or values of a head begin.</summary>
    private long Own(int row, int head) => (((long)state.Slots[row] * shape.KeyValueHeads) + head) * state.Capacity * shape.HeadDim;

    public void Dispose()
    {
        foreach (var buffer in (Scratch[])[hidden, normalised, projected, queries, attended, gateUp, gated, .. scores]) buffer.Dispose();
        result.Dispose();
        logits.Dispose();
    }

    /// <summary>Where a layer's weights and its part of the state lie.</summary>
    private sealed class Layer
    {
        public readonly PackedMatrix Projection, Output, GateUp, Down;
        public readonly float* AttentionNorm, ProjectionBias, QueryNorm, KeyNorm, OutputBias, MlpNorm, GateUpBias, DownBias;
        public readonly float* Keys, Values, PrefixKeys, PrefixValues;

        public Layer(TransformerDecoder decoder, PackedWeights packed, DecoderState state, int layer)
        {
            var (attention, mlp, attentionNorm, mlpNorm) = decoder.Layer(layer);
            (Projection, Output, GateUp, Down) = packed.Layers[layer];
            AttentionNorm = Of(attentionNorm);
            ProjectionBias = Of(attention.ProjectionBias);
            QueryNorm = Of(attention.QueryNorm);
            KeyNorm = Of(attention.KeyNorm);
            OutputBias = Of(attention.OutputBias);
            MlpNorm = Of(mlpNorm);
            GateUpBias = Of(mlp.GateUpBias);
            DownBias = Of(mlp.DownBias);
            var cache = state.Layer<KeyValueState>(layer);
            Keys = Of(cache.Keys);
            Values = Of(cache.Values);
            PrefixKeys = Of(cache.Parent?.Keys);
            PrefixValues = Of(cache.Parent?.Values);
        }

        private static float* Of(Tensor? tensor) => tensor is null ? null : CpuKernels.Pointer(tensor);
    }
}
