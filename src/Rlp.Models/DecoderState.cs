using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// What a decoder keeps of the tokens seen so far, row by row: keys and values of attention layers, convolution window and recurrent state of
/// Mamba layers. Made by <see cref="IDecoder.NewState"/>, extended by <see cref="IDecoder.Hidden(PackedSequences, DecoderState)"/>.
/// </summary>
public sealed class DecoderState : IDisposable
{
    private readonly LayerState?[] layers;
    private int[] lengths;
    private int[] parentRows = [];

    internal DecoderState(int rows, int capacity, LayerState?[] layers)
    {
        Capacity = capacity;
        this.layers = layers;
        lengths = new int[rows];
        Slots = [.. Enumerable.Range(0, rows)];
    }

    public int Rows => lengths.Length;

    /// <summary>Tokens that a row has room for, not counting those of the row it was forked from.</summary>
    public int Capacity { get; }

    /// <summary>Tokens held by each row, not counting those of the row it was forked from.</summary>
    public IReadOnlyList<int> Lengths => lengths;

    /// <summary>The state whose rows these rows continue; null where they begin at the first token.</summary>
    public DecoderState? Parent { get; private init; }

    /// <summary>For each row the row of <see cref="Parent"/> that it continues, never descending; empty without a parent.</summary>
    public IReadOnlyList<int> ParentRows => parentRows;

    /// <summary>Where each row lies in the layers' tensors: rows that were given up leave holes.</summary>
    internal int[] Slots { get; private set; }

    /// <summary>Of all tensors, the parent's not counted; <see cref="DecoderConfig.StateBytes"/> says it before there are any.</summary>
    internal long Bytes => layers.Sum(l => l?.Tensors.Sum(t => t.numel() * t.element_size()) ?? 0);

    /// <summary>What a decoder keeps with a state for its single-token steps, the last logits at least; disposed with it.</summary>
    internal IDisposable? Workspace { get; set; }

    /// <summary>The position of a row's next token.</summary>
    public int Position(int row) => lengths[row] + (Parent is null ? 0 : Parent.lengths[parentRows[row]]);

    /// <summary>
    /// <paramref name="times"/> rows for each row, with room for <paramref name="capacity"/> more tokens each. They share what this state holds of
    /// keys and values without a copy; it must not be extended or disposed before them.
    /// </summary>
    public DecoderState Fork(int times, int capacity)
    {
        if (times < 1) throw new ArgumentOutOfRangeException(nameof(times), times, "expected at least 1");
        if (Parent is not null) throw new InvalidOperationException("a forked state cannot be forked again");
        using var noGradient = no_grad();
        return new DecoderState(Rows * times, capacity, [.. layers.Select(l => l?.Fork(times, capacity))])
        {
            Parent = this,
            parentRows = [.. Enumerable.Range(0, Rows * times).Select(row => row / times)],
        };
    }

    /// <summary>Gives up all rows but those named, in ascending order; row i is then what row <c>rows[i]</c> was.</summary>
    public void Keep(IReadOnlyList<int> rows)
    {
        if (layers.All(l => l is null || l.TakesSlots))
        {
            Slots = [.. rows.Select(row => Slots[row])];
        }
        else
        {
            using var noGradient = no_grad();
            foreach (var layer in layers) layer?.Keep(rows);
            Slots = [.. Enumerable.Range(0, rows.Count)];
        }
        lengths = [.. rows.Select(row => lengths[row])];
        if (Parent is not null) parentRows = [.. rows.Select(row => parentRows[row])];
    }

    internal T Layer<T>(int layer) where T : LayerState => (T)layers[layer]!;

    /// <summary>Checks that the tokens fit, before any layer has taken them.</summary>
    internal void Expect(PackedSequences tokens)
    {
        if (tokens.Count != Rows) throw new ArgumentException($"the state has {Rows} rows, the tokens {tokens.Count}", nameof(tokens));
        for (var row = 0; row < Rows; row++)
        {
            if (tokens.Continues[row] >= 0)
                throw new ArgumentException("sequences that extend a state continue its rows and none of their own pack", nameof(tokens));
            Expect(row, tokens.Lengths[row]);
        }
    }

    internal void Expect(int row, int tokens)
    {
        if (lengths[row] + tokens > Capacity)
            throw new InvalidOperationException($"row {row} of the state holds {lengths[row]} of {Capacity} tokens and cannot take {tokens} more");
    }

    internal void Advance(int row, int tokens) => lengths[row] += tokens;

    public void Dispose()
    {
        foreach (var layer in layers) layer?.Dispose();
        Workspace?.Dispose();
    }
}

/// <summary>One layer's part of a state.</summary>
internal abstract class LayerState : IDisposable
{
    public abstract IReadOnlyList<Tensor> Tensors { get; }

    /// <summary>Whether the layer finds its rows by <see cref="DecoderState.Slots"/>, so that rows can be given up without moving the others.</summary>
    public virtual bool TakesSlots => false;

    public abstract LayerState Fork(int times, int capacity);

    /// <summary>Moves the named rows to the front and gives up the others.</summary>
    public abstract void Keep(IReadOnlyList<int> rows);

    public abstract void Dispose();

    /// <summary>The named rows of a tensor, in a new one that outlives scopes; the old one is disposed.</summary>
    protected static Tensor Rows(Tensor tensor, IReadOnlyList<int> rows)
    {
        using var index = Index(rows, tensor.device);
        var kept = tensor.index_select(0, index).DetachFromDisposeScope();
        tensor.Dispose();
        return kept;
    }

    private static Tensor Index(IReadOnlyList<int> rows, Device device) => tensor([.. rows.Select(r => (long)r)], device: device);
}
