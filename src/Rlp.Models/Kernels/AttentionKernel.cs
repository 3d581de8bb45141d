using System.Runtime.Intrinsics;

namespace Rlp.Models.Kernels;

/// <summary>Heads of an attention layer.</summary>
internal readonly record struct AttentionShape(int Heads, int KeyValueHeads, int HeadDim)
{
    /// <summary>Query heads that share one head of keys and values.</summary>
    public int Group => Heads / KeyValueHeads;

    /// <summary>Elements of a token's queries, keys and values as one product gives them.</summary>
    public int Width => (Heads + (2 * KeyValueHeads)) * HeadDim;

    public float Scale => 1f / MathF.Sqrt(HeadDim);
}

/// <summary>Keys and values of consecutive tokens: token t's head h begins at t * stride + h * head stride.</summary>
internal unsafe struct KeyBlock
{
    public float* Keys, Values;
    public long KeyStride, ValueStride, HeadStride;
    public int Count;

    public readonly float* KeysOf(int head) => Keys + (head * HeadStride);

    public readonly float* ValuesOf(int head) => Values + (head * HeadStride);
}

/// <summary>
/// Queries of consecutive tokens of one sequence. They see all of <see cref="Prefix"/>, and of <see cref="Own"/>, which ends with their own keys,
/// those up to themselves.
/// </summary>
internal unsafe struct AttentionSegment
{
    public float* Queries, Output, LogSumExp;
    public long QueryStride;
    public int Count;
    public KeyBlock Prefix, Own;
}

/// <summary>The gradients of a segment; a key block's gradients have the block's strides and are added to.</summary>
internal unsafe struct AttentionGradient
{
    public float* Output, Queries, PrefixKeys, PrefixValues, OwnKeys, OwnValues;
}

/// <summary>
/// Causal attention over packed sequences with a shared prefix, in tiles of queries against all of their keys: scores, softmax and weighted values
/// of a tile never leave the cache. No key is copied, no padding computed.
/// </summary>
internal static unsafe class AttentionKernel
{
    private const int TileRows = 64;

    /// <summary>Fills output and log-sum-exp of all segments.</summary>
    public static void Forward(AttentionShape shape, AttentionSegment[] segments)
    {
        var tasks = new List<(int Segment, int Row, int Head)>();
        for (var s = 0; s < segments.Length; s++)
            for (var row = 0; row < segments[s].Count; row += TileRows)
                for (var head = 0; head < shape.KeyValueHeads; head++) tasks.Add((s, row, head));
        var length = TileRows * segments.Max(Columns);
        NativeThreads.Each(tasks.Count, () => new Scratch(length), (task, scores) =>
        {
            var (s, row, head) = tasks[task];
            for (var h = head * shape.Group; h < (head + 1) * shape.Group; h++) ForwardTile(shape, segments[s], row, h, head, scores);
        });
    }

    /// <summary>
    /// Adds the gradients of keys and values and fills those of queries. The segments of one tree (a prefix and what continues it) are one task
    /// for each head of keys, so that no two threads add to the same place.
    /// </summary>
    public static void Backward(AttentionShape shape, AttentionSegment[] segments, AttentionGradient[] gradients, IReadOnlyList<int[]> trees)
    {
        var length = TileRows * segments.Max(Columns);
        NativeThreads.Each(trees.Count * shape.KeyValueHeads, () => new Scratch(2 * length), (task, scratch) =>
        {
            var head = task % shape.KeyValueHeads;
            foreach (var s in trees[task / shape.KeyValueHeads])
                for (var row = 0; row < segments[s].Count; row += TileRows)
                    for (var h = head * shape.Group; h < (head + 1) * shape.Group; h++)
                        BackwardTile(shape, segments[s], gradients[s], row, h, head, scores: scratch, slopes: scratch + length);
        });
    }

    private static void ForwardTile(AttentionShape shape, in AttentionSegment s, int row, int head, int keyHead, float* scores)
    {
        int dim = shape.HeadDim, rows = Math.Min(TileRows, s.Count - row), visible = s.Own.Count - s.Count + row + rows;
        long prefixColumns = Rounded(s.Prefix.Count), stride = prefixColumns + Rounded(visible);
        var output = s.Output + ((long)row * shape.Heads * dim) + (head * dim);
        Scores(shape, s, row, rows, visible, head, keyHead, scores, stride);
        var sums = stackalloc float[TileRows];
        for (var r = 0; r < rows; r++)
        {
            var line = scores + (r * stride);
            var shift = Floats.Max(line, (int)stride) * shape.Scale;
            sums[r] = Floats.ExpSum(line, shape.Scale, shift, (int)stride);
            s.LogSumExp[((long)(row + r) * shape.Heads) + head] = shift + MathF.Log(sums[r]);
        }
        long width = shape.Heads * dim;
        if (s.Prefix.Count > 0)
            Blas.Times(rows, dim, s.Prefix.Count, 1, scores, stride, s.Prefix.ValuesOf(keyHead), s.Prefix.ValueStride, 0, output, width);
        Blas.Times(rows, dim, visible, 1, scores + prefixColumns, stride, s.Own.ValuesOf(keyHead), s.Own.ValueStride, s.Prefix.Count > 0 ? 1 : 0, output, width);
        for (var r = 0; r < rows; r++) Floats.Scale(output + (r * width), 1 / sums[r], dim);
    }

    private static void BackwardTile(
        AttentionShape shape, AttentionSegment s, AttentionGradient g, int row, int head, int keyHead, float* scores, float* slopes)
    {
        int dim = shape.HeadDim, rows = Math.Min(TileRows, s.Count - row), visible = s.Own.Count - s.Count + row + rows;
        long prefixColumns = Rounded(s.Prefix.Count), stride = prefixColumns + Rounded(visible), width = shape.Heads * dim, offset = keyHead * dim;
        float* output = s.Output + (row * width) + (head * dim), gradient = g.Output + (row * width) + (head * dim);
        float* queries = s.Queries + (row * s.QueryStride) + (head * dim), queryGradient = g.Queries + (row * shape.Width) + (head * dim);
        Scores(shape, s, row, rows, visible, head, keyHead, scores, stride);
        if (s.Prefix.Count > 0)
            Blas.TimesTransposed(rows, s.Prefix.Count, dim, 1, gradient, width, s.Prefix.ValuesOf(keyHead), s.Prefix.ValueStride, 0, slopes, stride);
        Blas.TimesTransposed(rows, visible, dim, 1, gradient, width, s.Own.ValuesOf(keyHead), s.Own.ValueStride, 0, slopes + prefixColumns, stride);
        for (var r = 0; r < rows; r++)
        {
            float* line = scores + (r * stride), slope = slopes + (r * stride);
            _ = Floats.ExpSum(line, shape.Scale, s.LogSumExp[((long)(row + r) * shape.Heads) + head], (int)stride); // the probabilities
            var mean = Floats.Dot(output + (r * width), gradient + (r * width), dim);
            Slopes(line, slope, mean, shape.Scale, s.Prefix.Count);
            Slopes(line + prefixColumns, slope + prefixColumns, mean, shape.Scale, visible);
        }
        var beta = 0f;
        if (s.Prefix.Count > 0)
        {
            Gradients(s.Prefix, g.PrefixKeys + offset, g.PrefixValues + offset, s.Prefix.Count, scores, slopes, beta);
            beta = 1;
        }
        Gradients(s.Own, g.OwnKeys + offset, g.OwnValues + offset, visible, scores + prefixColumns, slopes + prefixColumns, beta);

        void Gradients(KeyBlock block, float* keyGradient, float* valueGradient, int keys, float* probabilities, float* slope, float queryBeta)
        {
            Blas.TransposedTimes(keys, dim, rows, 1, probabilities, stride, gradient, width, 1, valueGradient, shape.Width);
            Blas.TransposedTimes(keys, dim, rows, 1, slope, stride, queries, s.QueryStride, 1, keyGradient, shape.Width);
            Blas.Times(rows, dim, keys, 1, slope, stride, block.KeysOf(keyHead), block.KeyStride, queryBeta, queryGradient, shape.Width);
        }
    }

    /// <summary>q k^T of a tile; minus infinity in the columns that round up the prefix and in those that a query must not see.</summary>
    private static void Scores(
        AttentionShape shape, in AttentionSegment s, int row, int rows, int visible, int head, int keyHead, float* scores, long stride)
    {
        var dim = shape.HeadDim;
        var prefixColumns = Rounded(s.Prefix.Count);
        var queries = s.Queries + (row * s.QueryStride) + (head * dim);
        if (s.Prefix.Count > 0)
            Blas.TimesTransposed(rows, s.Prefix.Count, dim, 1, queries, s.QueryStride, s.Prefix.KeysOf(keyHead), s.Prefix.KeyStride, 0, scores, stride);
        Blas.TimesTransposed(
            rows, visible, dim, 1, queries, s.QueryStride, s.Own.KeysOf(keyHead), s.Own.KeyStride, 0, scores + prefixColumns, stride);
        for (var r = 0; r < rows; r++)
        {
            var line = scores + (r * stride);
            new Span<float>(line + s.Prefix.Count, (int)prefixColumns - s.Prefix.Count).Fill(float.NegativeInfinity);
            var seen = prefixColumns + visible - rows + r + 1;
            new Span<float>(line + seen, (int)(stride - seen)).Fill(float.NegativeInfinity);
        }
    }

    /// <summary>slope &lt;- p (slope - mean) scale.</summary>
    private static void Slopes(float* p, float* slope, float mean, float scale, int n)
    {
        var i = 0;
        Vector512<float> subtract = Vector512.Create(mean), factor = Vector512.Create(scale);
        for (; i <= n - Floats.Width; i += Floats.Width)
            (Floats.Load(p + i) * (Floats.Load(slope + i) - subtract) * factor).Store(slope + i);
        for (; i < n; i++) slope[i] = p[i] * (slope[i] - mean) * scale;
    }

    private static long Columns(AttentionSegment s) => Rounded(s.Prefix.Count) + Rounded(s.Own.Count);

    /// <summary>Up to whole vectors.</summary>
    public static long Rounded(int count) => (count + Floats.Width - 1L) / Floats.Width * Floats.Width;
}
