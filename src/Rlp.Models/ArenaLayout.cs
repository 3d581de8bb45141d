using Rlp.Models.Weights;

namespace Rlp.Models;

/// <summary>A named tensor of a checkpoint file: a run of rows inside one leaf of the arena.</summary>
public sealed record ArenaSlot(string Name, long[] Shape, long Offset)
{
    public long Length => Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>A parameter as the network uses it: one or several slots side by side (fused projections multiply once).</summary>
public sealed record ArenaLeaf(string Name, long[] Shape, long Offset)
{
    public long Length => Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>
/// Where each parameter lies in the flat tensor: matrices first (they are decayed), vectors and the like behind them, every leaf on a
/// 64-byte boundary so that vectorised kernels take the same path for every copy of the arena.
/// </summary>
public sealed class ArenaLayout
{
    /// <summary>Every leaf, and the whole, takes a multiple of so many elements.</summary>
    public const long Alignment = 16;

    private readonly List<ArenaLeaf> leaves = [];
    private readonly List<ArenaSlot> slots = [];
    private bool vectorsBegun;

    public IReadOnlyList<ArenaLeaf> Leaves => leaves;

    /// <summary>In the order of the file.</summary>
    public IReadOnlyList<ArenaSlot> Slots => slots;

    /// <summary>Elements of the flat tensor, padding included.</summary>
    public long Length { get; private set; }

    /// <summary>Elements at the front that weight decay applies to.</summary>
    public long DecayedLength { get; private set; }

    /// <summary>Parameters without the padding.</summary>
    public long ParameterCount => slots.Sum(s => s.Length);

    /// <summary>The matrix [V, hidden] that makes logits of hidden states: lm_head.weight, or the embedding that it is tied to.</summary>
    public ArenaLeaf OutputHead =>
        slots.FirstOrDefault(s => s.Name == WeightFiles.Head) is { } head ? leaves.Single(l => l.Offset == head.Offset) : leaves[0];

    /// <summary>Adds a matrix of <paramref name="columns"/> columns made of the named parts, one below the other.</summary>
    public void AddMatrix(string leaf, long columns, params (string Name, long Rows)[] parts)
    {
        if (vectorsBegun) throw new InvalidOperationException("matrices come before vectors");
        var offset = Length;
        foreach (var (name, rows) in parts)
        {
            slots.Add(new ArenaSlot(name, [rows, columns], offset));
            offset += rows * columns;
        }
        Add(new ArenaLeaf(leaf, [parts.Sum(p => p.Rows), columns], Length));
        DecayedLength = Length;
    }

    public void AddVector(string name, long length) => AddUndecayed(name, length);

    /// <summary>Adds a bias made of the named parts, one behind the other.</summary>
    public void AddBias(string leaf, params (string Name, long Length)[] parts)
    {
        vectorsBegun = true;
        var offset = Length;
        foreach (var (name, length) in parts)
        {
            slots.Add(new ArenaSlot(name, [length], offset));
            offset += length;
        }
        Add(new ArenaLeaf(leaf, [parts.Sum(p => p.Length)], Length));
    }

    /// <summary>Adds a tensor of any shape that, like the vectors, is not decayed: the weights of a short convolution.</summary>
    public void AddUndecayed(string name, params long[] shape)
    {
        vectorsBegun = true;
        slots.Add(new ArenaSlot(name, shape, Length));
        Add(new ArenaLeaf(name, shape, Length));
    }

    private void Add(ArenaLeaf leaf)
    {
        leaves.Add(leaf);
        Length = (leaf.Offset + leaf.Length + Alignment - 1) / Alignment * Alignment;
    }
}
