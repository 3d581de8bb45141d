using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// What a decoder keeps of the tokens seen so far, row by row: keys and values of attention layers, convolution window and recurrent state of
/// Mamba layers. Made by <see cref="IDecoder.NewState"/>, extended by <see cref="IDecoder.Hidden(Tensor, DecoderState, int[])"/>.
/// </summary>
public sealed class DecoderState : IDisposable
{
    private readonly LayerState?[] layers;

    internal DecoderState(long batch, long capacity, LayerState?[] layers)
    {
        Batch = batch;
        Capacity = capacity;
        this.layers = layers;
    }

    public long Batch { get; }

    /// <summary>Tokens that a row has room for, padding included.</summary>
    public long Capacity { get; }

    /// <summary>Tokens held per row, padding included.</summary>
    public int Length { get; private set; }

    /// <summary>Padding tokens at the left of each row, [B] long; empty when no row is padded.</summary>
    public IReadOnlyList<int> Padding { get; private set; } = [];

    /// <summary><see cref="Padding"/> on the device, [B] int64; null when no row is padded.</summary>
    internal Tensor? PaddingCounts { get; private set; }

    /// <summary>Each row repeated <paramref name="times"/> times, with room for <paramref name="capacity"/> tokens.</summary>
    public DecoderState Repeat(int times, long capacity)
    {
        if (times < 1) throw new ArgumentOutOfRangeException(nameof(times), times, "expected at least 1");
        if (capacity < Length) throw new ArgumentOutOfRangeException(nameof(capacity), capacity, $"the state already holds {Length} tokens");
        using var noGradient = no_grad();
        return new DecoderState(Batch * times, capacity, [.. layers.Select(l => l?.Repeat(times, Length, capacity))])
        {
            Length = Length,
            Padding = [.. Padding.SelectMany(p => Enumerable.Repeat(p, times))],
            PaddingCounts = PaddingCounts?.repeat_interleave(times, 0).DetachFromDisposeScope(),
        };
    }

    /// <summary>Of all tensors; <see cref="DecoderConfig.StateBytes"/> says it before there are any.</summary>
    internal long Bytes => layers.Sum(l => l?.Tensors.Sum(t => t.numel() * t.element_size()) ?? 0);

    internal T Layer<T>(int layer) where T : LayerState => (T)layers[layer]!;

    /// <summary>Checks that the tokens [B, T] fit, before any layer has taken them.</summary>
    internal void Expect(Tensor tokens, IReadOnlyList<int>? padding)
    {
        if (tokens.shape[0] != Batch) throw new ArgumentException($"the state has {Batch} rows, the tokens {tokens.shape[0]}", nameof(tokens));
        if (Length + tokens.shape[1] > Capacity)
            throw new InvalidOperationException($"the state holds {Length} of {Capacity} tokens and cannot take {tokens.shape[1]} more");
        if (padding is null || padding.All(p => p == 0)) return;
        if (Length > 0) throw new ArgumentException("padding can only be given for the first tokens of a state", nameof(padding));
        if (padding.Count != Batch || padding.Any(p => p < 0))
            throw new ArgumentException($"expected {Batch} counts of padding tokens, none below 0", nameof(padding));
        Padding = [.. padding];
        PaddingCounts = tensor(padding.Select(p => (long)p).ToArray(), device: tokens.device).DetachFromDisposeScope();
    }

    internal void Advance(int tokens) => Length += tokens;

    public void Dispose()
    {
        foreach (var layer in layers) layer?.Dispose();
        PaddingCounts?.Dispose();
    }
}

/// <summary>One layer's part of a state.</summary>
internal abstract class LayerState : IDisposable
{
    public abstract IReadOnlyList<Tensor> Tensors { get; }

    /// <param name="length">Tokens held.</param>
    public abstract LayerState Repeat(int times, int length, long capacity);

    public abstract void Dispose();
}
