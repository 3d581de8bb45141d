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
    private const int ColumnGrain = 64;
    private const int FewRows = 4; // a product with so few is bound by reading the weights

    private readonly AttentionShape shape;
    private readonly DecoderState state;
    private readonly Layer[] layers;
    private readonly float* embedding, finalNorm, head;
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
        head = CpuKernels.Pointer(decoder.HeadMatrix);
        finalNorm = CpuKernels.Pointer(decoder.FinalNormWeight);
        layers = [.. Enumerable.Range(0, config.Layers).Select(i => new Layer(decoder, state, i))];
        columns = (int)(AttentionKernel.Rounded(state.Parent?.Lengths.Max() ?? 0) + AttentionKernel.Rounded(state.Capacity));
        long rows = state.Rows;
        (hidden, normalised) = (new Scratch(rows * width), new Scratch(rows * width));
        (projected, queries) = (new Scratch(rows * shape.Width), new Scratch(rows * shape.Heads * shape.HeadDim));
        attended = new Scratch(rows * shape.Heads * shape.HeadDim);
        (gateUp, gated) = (new Scratch(rows * 2 * inner), new Scratch(rows * inner));
        scores = [.. Enumerable.Range(0, Math.Max(1, get_num_threads())).Select(_ => new Scratch((long)RowsOfATile * shape.Group * (columns + shape.HeadDim)))];
        logits = empty(rows, vocabulary).DetachFromDisposeScope();
        result = logits.alias().DetachFromDisposeScope();
        divided = (thread, threads) => Rows(state.Rows * thread / threads, state.Rows * (thread + 1) / threads, thread);
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
        if (rows >= FewRows * threads * 2) NativeThreads.Run(threads, divided);
        else Rows(0, rows, 0);
        for (var row = 0; row < rows; row++) state.Advance(row, 1);
        if (result.shape[0] != rows)
        {
            result.Dispose();
            result = logits.narrow(0, 0, rows).DetachFromDisposeScope();
        }
        return result;
    }

    /// <summary>Takes some rows through all layers.</summary>
    private void Rows(int begin, int end, int thread)
    {
        for (var row = begin; row < end; row++)
            Buffer.MemoryCopy(embedding + (tokens[row] * width), hidden + ((long)row * width), width * sizeof(float), width * sizeof(float));
        foreach (var layer in layers)
        {
            Normalise(layer.AttentionNorm, begin, end);
            Multiply(begin, end, normalised, width, layer.Projection, layer.ProjectionBias, projected, shape.Width, add: false);
            for (var row = begin; row < end; row++) Rotate(layer, row);
            for (var row = begin; row < end;)
            {
                var stop = row + 1;
                while (stop < end && stop - row < RowsOfATile && state.Parent is not null && state.ParentRows[stop] == state.ParentRows[row]) stop++;
                Attend(layer, row, stop, scores[thread]);
                row = stop;
            }
            Multiply(begin, end, attended, shape.Heads * shape.HeadDim, layer.Output, layer.OutputBias, hidden, width, add: true);
            Normalise(layer.MlpNorm, begin, end);
            Multiply(begin, end, normalised, width, layer.GateUp, layer.GateUpBias, gateUp, 2 * inner, add: false);
            for (var row = begin; row < end; row++)
            {
                var gate = gateUp + ((long)row * 2 * inner);
                SwiGluKernel.Forward(gate, gate + inner, gated + ((long)row * inner), inner);
            }
            Multiply(begin, end, gated, inner, layer.Down, layer.DownBias, hidden, width, add: true);
        }
        Normalise(finalNorm, begin, end);
        Multiply(begin, end, normalised, width, head, null, CpuKernels.Pointer(logits), vocabulary, add: false);
    }

    private void Normalise(float* weight, int begin, int end)
    {
        for (long row = begin; row < end; row++) NormKernel.Forward(hidden + (row * width), weight, normalised + (row * width), width, eps);
    }

    /// <summary>y = x W^T + bias, or added to y, for some rows; the columns divided among the threads where this is called outside of them.</summary>
    private static void Multiply(int begin, int end, float* x, int inputs, float* weight, float* bias, float* y, int outputs, bool add)
    {
        int rows = end - begin;
        float* from = x + ((long)begin * inputs), to = y + ((long)begin * outputs);
        if (rows > FewRows)
        {
            Blas.TimesTransposed(rows, outputs, inputs, 1, from, inputs, weight, inputs, add ? 1 : 0, to, outputs);
        }
        else
        {
            NativeThreads.For(outputs, ColumnGrain, (first, last) =>
            {
                for (var row = 0; row < rows; row++)
                    VectorProduct.Rows(weight + (first * inputs), from + ((long)row * inputs), to + ((long)row * outputs) + first, (int)(last - first), inputs, add);
            });
        }
        if (bias is null) return;
        for (long row = 0; row < rows; row++) Floats.Add(to + (row * outputs), bias, outputs);
    }

    /// <summary>Norm and rotation of a row's queries and keys; keys and values go to the state.</summary>
    private void Rotate(Layer layer, int row)
    {
        var dim = shape.HeadDim;
        var position = (long)state.Position(row);
        var source = projected + ((long)row * shape.Width);
        var place = ((state.Slots[row] * (long)state.Capacity) + state.Lengths[row]) * shape.KeyValueHeads * dim;
        for (var head = 0; head < shape.Heads + shape.KeyValueHeads; head++)
        {
            var isQuery = head < shape.Heads;
            float* from = source + (head * dim), to = isQuery
                ? queries + ((((long)row * shape.Heads) + head) * dim)
                : layer.Keys + place + ((head - shape.Heads) * dim);
            if (layer.QueryNorm is null) Buffer.MemoryCopy(from, to, dim * sizeof(float), dim * sizeof(float));
            else NormKernel.Forward(from, isQuery ? layer.QueryNorm : layer.KeyNorm, to, dim, eps);
            RotaryKernel.Forward(to, cosine + (position * dim), sine + (position * dim), dim);
        }
        var bytes = (long)shape.KeyValueHeads * dim * sizeof(float);
        Buffer.MemoryCopy(source + ((shape.Heads + shape.KeyValueHeads) * dim), layer.Values + place, bytes, bytes);
    }

    /// <summary>Attention of rows that continue the same prefix: its scores and values by one product for all of them, their own tokens one by one.</summary>
    private void Attend(Layer layer, int begin, int end, float* line)
    {
        int dim = shape.HeadDim, group = shape.Group, rows = end - begin, prefix = 0;
        long keyWidth = shape.KeyValueHeads * dim, prefixPlace = 0;
        if (state.Parent is { } parent)
        {
            var parentRow = state.ParentRows[begin];
            (prefix, prefixPlace) = (parent.Lengths[parentRow], parent.Slots[parentRow] * (long)parent.Capacity * keyWidth);
        }
        var prefixColumns = (int)AttentionKernel.Rounded(prefix);
        var outputs = line + ((long)rows * group * columns); // [rows * group, D]
        for (var head = 0; head < shape.KeyValueHeads; head++)
        {
            long offset = prefixPlace + (head * dim);
            for (var row = begin; row < end; row++) // the queries of a head's group, row behind row
                Buffer.MemoryCopy(queries + ((((long)row * shape.Heads) + (head * group)) * dim), outputs + ((long)(row - begin) * group * dim),
                    group * dim * sizeof(float), group * dim * sizeof(float));
            if (prefix > 0) Blas.TimesTransposed(rows * group, prefix, dim, 1, outputs, dim, layer.PrefixKeys + offset, keyWidth, 0, line, columns);
            for (var i = 0; i < rows * group; i++)
            {
                var row = begin + (i / group);
                var own = state.Lengths[row] + 1;
                var place = state.Slots[row] * (long)state.Capacity * keyWidth;
                var values = line + ((long)i * columns);
                new Span<float>(values + prefix, prefixColumns - prefix).Fill(float.NegativeInfinity);
                VectorProduct.Rows(layer.Keys + place + (head * dim), keyWidth, outputs + ((long)i * dim), values + prefixColumns, own, dim);
                var length = prefixColumns + (int)AttentionKernel.Rounded(own);
                new Span<float>(values + prefixColumns + own, length - prefixColumns - own).Fill(float.NegativeInfinity);
                var sum = Floats.ExpSum(values, shape.Scale, Floats.Max(values, length) * shape.Scale, length);
                Floats.Scale(values, 1 / sum, length);
            }
            if (prefix > 0) Blas.Times(rows * group, dim, prefix, 1, line, columns, layer.PrefixValues + offset, keyWidth, 0, outputs, dim);
            else new Span<float>(outputs, rows * group * dim).Clear();
            for (var i = 0; i < rows * group; i++)
            {
                var row = begin + (i / group);
                var place = state.Slots[row] * (long)state.Capacity * keyWidth;
                var target = attended + ((((long)row * shape.Heads) + (head * group) + (i % group)) * dim);
                VectorProduct.WeightedSum(
                    layer.Values + place + (head * dim), keyWidth, line + ((long)i * columns) + prefixColumns, outputs + ((long)i * dim), target,
                    state.Lengths[row] + 1, dim);
            }
        }
    }

    public void Dispose()
    {
        foreach (var buffer in (Scratch[])[hidden, normalised, projected, queries, attended, gateUp, gated, .. scores]) buffer.Dispose();
        result.Dispose();
        logits.Dispose();
    }

    /// <summary>Where a layer's weights and its part of the state lie.</summary>
    private sealed class Layer
    {
        public readonly float* AttentionNorm, Projection, ProjectionBias, QueryNorm, KeyNorm, Output, OutputBias;
        public readonly float* MlpNorm, GateUp, GateUpBias, Down, DownBias;
        public readonly float* Keys, Values, PrefixKeys, PrefixValues;

        public Layer(TransformerDecoder decoder, DecoderState state, int layer)
        {
            var (attention, mlp, attentionNorm, mlpNorm) = decoder.Layer(layer);
            AttentionNorm = Of(attentionNorm);
            Projection = Of(attention.Projection);
            ProjectionBias = Of(attention.ProjectionBias);
            QueryNorm = Of(attention.QueryNorm);
            KeyNorm = Of(attention.KeyNorm);
            Output = Of(attention.Output);
            OutputBias = Of(attention.OutputBias);
            MlpNorm = Of(mlpNorm);
            GateUp = Of(mlp.GateUp);
            GateUpBias = Of(mlp.GateUpBias);
            Down = Of(mlp.Down);
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
