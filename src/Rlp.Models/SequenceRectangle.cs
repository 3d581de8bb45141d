using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Some sequences of a pack as the rows of a rectangle, padded at the right.</summary>
internal sealed class SequenceRectangle
{
    private readonly PackedSequences tokens;
    private readonly DecoderState? state;
    private readonly Func<Tensor, Tensor> keep;
    private readonly Device device;
    private readonly Tensor? places; // null: those of the pack in their order
    private Tensor? mask;
    private Tensor? storage;

    /// <param name="sequences">Of the pack; row i is sequence <c>sequences[i]</c>.</param>
    /// <param name="continued">Where the sequences that these ones continue lie; null: they continue none.</param>
    /// <param name="state">That the sequences extend; null: none.</param>
    /// <param name="keep">Makes a tensor live as long as the pass.</param>
    public SequenceRectangle(PackedSequences tokens, int[] sequences, SequenceRectangle? continued, DecoderState? state, Func<Tensor, Tensor> keep)
    {
        (this.tokens, Sequences, Continued, this.state, this.keep, device) = (tokens, sequences, continued, state, keep, tokens.Device);
        Length = sequences.Max(s => tokens.Lengths[s]);
        var ids = new long[sequences.Length * Length]; // a padding place repeats the row's last token
        var real = new float[ids.Length];
        for (var row = 0; row < sequences.Length; row++)
            for (var t = 0; t < Length; t++)
            {
                ids[(row * Length) + t] = tokens.Starts[sequences[row]] + Math.Min(t, Tokens(row) - 1);
                real[(row * Length) + t] = t < Tokens(row) ? 1 : 0;
            }
        places = ids.Length == tokens.Total && ids.Index().All(p => p.Index == p.Item) ? null : keep(tensor(ids, device: device));
        Real = real.All(r => r > 0) ? null : keep(tensor(real, [sequences.Length, Length, 1], device: device));
        ContinuedRows = continued is null ? null
            : keep(tensor([.. sequences.Select(s => (long)Array.IndexOf(continued.Sequences, tokens.Continues[s]))], device: device));
    }

    public int[] Sequences { get; }

    /// <summary>Of the longest sequence.</summary>
    public int Length { get; }

    /// <summary>[rows, <see cref="Length"/>, 1] float32, one for a token and zero for padding; null where there is no padding.</summary>
    public Tensor? Real { get; }

    /// <summary>The rectangle whose sequences these ones continue.</summary>
    public SequenceRectangle? Continued { get; }

    /// <summary>The row of <see cref="Continued"/> that each row continues, [rows] int64.</summary>
    public Tensor? ContinuedRows { get; }

    /// <summary>Keys of each row that its queries see all of: those of the sequence or of the state's row that it continues.</summary>
    public int PrefixLength => state?.Parent?.Lengths.Max() ?? Continued?.Length ?? 0;

    /// <summary>Keys of the row that has most, its prefix not counted.</summary>
    public int OwnLength => Enumerable.Range(0, Sequences.Length).Max(row => Past(row) + Tokens(row));

    public int Tokens(int row) => tokens.Lengths[Sequences[row]];

    /// <summary>[M, ...] to [rows, Length, ...].</summary>
    public Tensor Of(Tensor packed) => places is null
        ? packed.unflatten(0, [Sequences.Length, Length])
        : packed.index_select(0, places).view([Sequences.Length, Length, .. packed.shape[1..]]);

    /// <summary>Whether each query sees the rectangle's keys up to its own and nothing else: padding lies behind what real queries see.</summary>
    public bool Causal => PrefixLength == 0 && OwnLength == Length && Enumerable.Range(0, Sequences.Length).All(row => Past(row) == 0);

    /// <summary>Where every row stores its one token; null where rows have several tokens, or different pasts.</summary>
    public int? CommonPlace => Length == 1 && Sequences.Length == tokens.Count && Enumerable.Range(0, Sequences.Length).All(row => Past(row) == Past(0)) ? Past(0) : null;

    /// <summary>Where each head of each token of the pack is stored in the state, all rows' heads' tokens one behind the other: [M * heads] int64.</summary>
    public Tensor Storage(int heads, long capacity)
    {
        return storage ??= keep(tensor([.. Enumerable.Range(0, Sequences.Length).SelectMany(Places)], device: device));

        IEnumerable<long> Places(int row) => Enumerable.Range(0, Tokens(row))
            .SelectMany(t => Enumerable.Range(0, heads).Select(head => ((((long)row * heads) + head) * capacity) + Past(row) + t));
    }

    /// <summary>
    /// What each query sees, additive, [rows, 1, Length, <see cref="PrefixLength"/> + <see cref="OwnLength"/>], both padded at the right; null where
    /// every query sees everything.
    /// </summary>
    public Tensor? Mask(ScalarType dtype)
    {
        if (mask is not null) return mask;
        long[] prefixes = [.. Enumerable.Range(0, Sequences.Length).Select(Prefix)], past = [.. Enumerable.Range(0, Sequences.Length).Select(r => (long)Past(r))];
        if (Length == 1 && prefixes.All(p => p == PrefixLength) && past.All(p => p + 1 == OwnLength)) return null;
        using var scope = NewDisposeScope();
        var prefixColumn = Tensor.Range(PrefixLength, int64, device).view(1, 1, -1);
        var ownColumn = Tensor.Range(OwnLength, int64, device).view(1, 1, -1);
        var query = Tensor.Range(Length, int64, device).view(1, Length, 1);
        var visiblePrefix = prefixColumn.lt(tensor(prefixes, device: device).view(-1, 1, 1)).expand(Sequences.Length, Length, PrefixLength);
        var visibleOwn = ownColumn.le(query.Plus(tensor(past, device: device).view(-1, 1, 1))); // a padding query sees what a token there would: never nothing
        var visible = cat([visiblePrefix, visibleOwn], 2).unsqueeze(1); // [rows, 1, Length, keys]
        return mask = keep(zeros(visible.shape, dtype: dtype, device: device).MaskFilledInPlace(visible.logical_not(), float.NegativeInfinity));
    }

    private int Past(int row) => state?.Lengths[row] ?? 0;

    private long Prefix(int row) => state is null
        ? tokens.Continues[Sequences[row]] is var c && c >= 0 ? tokens.Lengths[c] : 0
        : state.Parent?.Lengths[state.ParentRows[row]] ?? 0;
}
