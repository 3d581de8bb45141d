using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>What is the same in every layer of one pass: where its tokens stand and what each of them continues.</summary>
internal sealed class ForwardPlan : IDisposable
{
    private readonly DecoderState? state;
    private readonly Device device;
    private readonly List<Tensor> kept = [];
    private readonly Lazy<Tensor> positions;
    private readonly Lazy<Tensor?> packing;
    private readonly Lazy<IReadOnlyList<SequenceRectangle>> rectangles;
    private readonly Lazy<ForkedRows> forked;
    private (Tensor Cosine, Tensor Sine)? rotation;

    public ForwardPlan(PackedSequences tokens, DecoderState? state)
    {
        (Tokens, this.state, device) = (tokens, state, tokens.Device);
        Positions = new int[tokens.Total];
        for (var i = 0; i < tokens.Count; i++)
            for (int t = 0, first = First(i); t < tokens.Lengths[i]; t++) Positions[tokens.Starts[i] + t] = first + t;
        LastPosition = Positions.Max();
        positions = new(() => Index([.. Positions.Select(p => (long)p)]));
        packing = new(Packing);
        rectangles = new(Rectangles);
        forked = new(() => new ForkedRows(state!, Index));
    }

    public PackedSequences Tokens { get; }

    /// <summary>Of each token, [M].</summary>
    public int[] Positions { get; }

    public int LastPosition { get; }

    /// <summary><see cref="Positions"/> on the device, [M] int64.</summary>
    public Tensor PositionIndex => positions.Value;

    /// <summary>
    /// The pack as rectangles padded at the right, for what cannot compute on packed sequences: the sequences that stand alone (or extend a state),
    /// then those that continue others of the pack.
    /// </summary>
    public IReadOnlyList<SequenceRectangle> Parts => rectangles.Value;

    /// <summary>What a layer turns queries and keys by, [M, 1, headDim] each: the same in all of them.</summary>
    public (Tensor Cosine, Tensor Sine) Rotation(RotaryEmbedding rotary, ScalarType type)
    {
        if (rotation is { } made) return made;
        var (cosine, sine) = rotary.At(PositionIndex, LastPosition, type);
        return (rotation = (Keep(cosine), Keep(sine))).Value;
    }

    /// <summary>Which rows of the state share a prefix.</summary>
    public ForkedRows Forked => forked.Value;

    /// <summary>For each sequence that stands alone: itself and those that continue it.</summary>
    public IReadOnlyList<int[]> Trees()
    {
        var continuing = Enumerable.Range(0, Tokens.Count).Where(i => Tokens.Continues[i] >= 0).ToLookup(i => Tokens.Continues[i]);
        return [.. Enumerable.Range(0, Tokens.Count).Where(i => Tokens.Continues[i] < 0).Select(i => (int[])[i, .. continuing[i]])];
    }

    /// <summary>What lies in the parts' rectangles, [rows * length, ...] each, back in packed order, [M, ...].</summary>
    public Tensor Packed(IReadOnlyList<Tensor> parts)
    {
        var all = parts.Count == 1 ? parts[0] : cat([.. parts], 0);
        return packing.Value is { } places ? all.index_select(0, places) : all;
    }

    public void Dispose()
    {
        foreach (var tensor in kept) tensor.Dispose();
        kept.Clear();
    }

    /// <summary>The position of a sequence's first token.</summary>
    private int First(int sequence) => state?.Position(sequence) ?? (Tokens.Continues[sequence] is var c && c >= 0 ? Tokens.Lengths[c] : 0);

    private IReadOnlyList<SequenceRectangle> Rectangles()
    {
        int[] alone = [.. Enumerable.Range(0, Tokens.Count).Where(i => Tokens.Continues[i] < 0)];
        int[] continuing = [.. Enumerable.Range(0, Tokens.Count).Where(i => Tokens.Continues[i] >= 0)];
        var first = new SequenceRectangle(Tokens, alone, null, state, Keep);
        return continuing.Length == 0 ? [first] : [first, new SequenceRectangle(Tokens, continuing, first, null, Keep)];
    }

    /// <summary>Null where the rectangles hold the tokens in the pack's order.</summary>
    private Tensor? Packing()
    {
        var places = new long[Tokens.Total];
        long offset = 0;
        foreach (var part in Parts)
        {
            for (var row = 0; row < part.Sequences.Length; row++)
                for (var t = 0; t < part.Tokens(row); t++)
                    places[Tokens.Starts[part.Sequences[row]] + t] = offset + ((long)row * part.Length) + t;
            offset += (long)part.Sequences.Length * part.Length;
        }
        return offset == places.Length && places.Index().All(p => p.Index == p.Item) ? null : Index(places);
    }

    private Tensor Index(long[] values) => Keep(tensor(values, device: device));

    /// <summary>Made inside one layer, used by all of them.</summary>
    private Tensor Keep(Tensor made)
    {
        kept.Add(made.DetachFromDisposeScope());
        return made;
    }
}
