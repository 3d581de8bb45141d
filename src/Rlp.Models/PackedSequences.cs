using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// Sequences of different lengths one behind the other in one dimension, so that no time is spent on padding. A sequence may continue another of
/// the same pack: the thoughts of a group continue their position's prefix, whose activations are then computed once for all of them.
/// </summary>
public sealed class PackedSequences : IDisposable
{
    /// <param name="sequences">None of them empty.</param>
    /// <param name="continues">For each sequence the index of the one it continues, which continues none itself; -1, or null for all: it stands alone.</param>
    /// <exception cref="ArgumentException">An empty sequence, or one that continues something else than a sequence that stands alone.</exception>
    public PackedSequences(IReadOnlyList<int[]> sequences, Device device, IReadOnlyList<int>? continues = null)
        : this([.. sequences.Select(s => s.Length)], continues, device)
    {
        var ids = new long[Total];
        for (int i = 0, at = 0; i < sequences.Count; i++)
            foreach (var token in sequences[i]) ids[at++] = token;
        Tokens = tensor(ids, device: device).DetachFromDisposeScope();
    }

    /// <summary>Sequences of one length.</summary>
    /// <param name="tokens">[B, T] int64.</param>
    public PackedSequences(Tensor tokens) : this([.. Enumerable.Repeat((int)tokens.shape[1], (int)tokens.shape[0])], null, tokens.device) =>
        Tokens = tokens.reshape(-1).DetachFromDisposeScope();

    private PackedSequences(int[] lengths, IReadOnlyList<int>? continues, Device device)
    {
        Device = device;
        if (lengths.Any(l => l < 1)) throw new ArgumentException($"sequence {Array.FindIndex(lengths, l => l < 1)} of a pack is empty", nameof(lengths));
        Lengths = lengths;
        Continues = continues is null ? [.. Enumerable.Repeat(-1, lengths.Length)] : [.. continues];
        if (Continues.Count != lengths.Length)
            throw new ArgumentException($"expected what each of {lengths.Length} sequences continues, found {Continues.Count} entries", nameof(continues));
        for (var i = 0; i < lengths.Length; i++)
            if (Continues[i] is var c && c >= 0 && (c >= lengths.Length || Continues[c] >= 0))
                throw new ArgumentException($"sequence {i} continues {c}, which is no sequence of the pack that stands alone", nameof(continues));
        var starts = new int[lengths.Length];
        for (var i = 0; i < lengths.Length; i++) (starts[i], Total) = (Total, checked(Total + lengths[i]));
        Starts = starts;
    }

    /// <summary>[<see cref="Total"/>] int64.</summary>
    public Tensor Tokens { get; } = null!;

    public Device Device { get; }

    public int Count => Lengths.Count;

    public int Total { get; }

    public IReadOnlyList<int> Lengths { get; }

    /// <summary>Where each sequence begins in the packed dimension.</summary>
    public IReadOnlyList<int> Starts { get; }

    /// <summary>The sequence that each one continues, or -1.</summary>
    public IReadOnlyList<int> Continues { get; }

    /// <summary>Where the last token of a sequence lies in the packed dimension.</summary>
    public int Last(int sequence) => Starts[sequence] + Lengths[sequence] - 1;

    public void Dispose() => Tokens.Dispose();
}
