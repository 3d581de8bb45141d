using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Keys and values of the tokens seen so far, per layer in preallocated tensors [B, kvHeads, capacity, headDim].</summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] keys;
    private readonly Tensor[] values;

    public KeyValueCache(DecoderConfig config, long batch, long capacity, Device? device = null)
    {
        Batch = batch;
        Capacity = capacity;
        keys = [.. Enumerable.Range(0, config.Layers).Select(_ => Allocate())];
        values = [.. Enumerable.Range(0, config.Layers).Select(_ => Allocate())];

        Tensor Allocate() => empty(batch, config.KeyValueHeads, capacity, config.HeadDim, dtype: float32, device: device).DetachFromDisposeScope();
    }

    private KeyValueCache(long batch, long capacity, int length, int[] padding, Tensor[] keys, Tensor[] values)
    {
        Batch = batch;
        Capacity = capacity;
        Length = length;
        Padding = padding;
        this.keys = keys;
        this.values = values;
    }

    public long Batch { get; }

    public long Capacity { get; }

    /// <summary>Tokens held per row, padding included.</summary>
    public int Length { get; internal set; }

    /// <summary>Padding tokens at the left of each row, [B] long; empty when no row is padded.</summary>
    public int[] Padding { get; internal set; } = [];

    /// <summary>Each row repeated <paramref name="times"/> times, with room for <paramref name="capacity"/> tokens.</summary>
    public KeyValueCache Repeat(int times, long capacity)
    {
        using var noGradient = no_grad();
        return new KeyValueCache(Batch * times, capacity, Length, [.. Padding.SelectMany(p => Enumerable.Repeat(p, times))],
            [.. keys.Select(Copy)], [.. values.Select(Copy)]);

        Tensor Copy(Tensor source)
        {
            using var scope = NewDisposeScope();
            var shape = source.shape;
            var target = empty(shape[0] * times, shape[1], capacity, shape[3], dtype: source.dtype, device: source.device);
            target.narrow(2, 0, Length).copy_(source.narrow(2, 0, Length).repeat_interleave(times, 0));
            return target.MoveToOuterDisposeScope().DetachFromDisposeScope();
        }
    }

    /// <summary>Stores [B, kvHeads, T, headDim] behind what is there and returns everything up to and including it.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor newKeys, Tensor newValues)
    {
        var count = newKeys.shape[2];
        if (Length + count > Capacity)
            throw new InvalidOperationException($"the cache holds {Length} of {Capacity} tokens and cannot take {count} more");
        keys[layer].narrow(2, Length, count).copy_(newKeys);
        values[layer].narrow(2, Length, count).copy_(newValues);
        return (keys[layer].narrow(2, 0, Length + count), values[layer].narrow(2, 0, Length + count));
    }

    public void Dispose()
    {
        foreach (var tensor in keys.Concat(values)) tensor.Dispose();
    }
}
