using static TorchSharp.torch;

namespace Rlp.Benchmarks.Plain;

/// <summary>Keys and values of all layers, each [B, heads, length, headDim], that grow by concatenation.</summary>
internal sealed class PlainCache(int layers) : IDisposable
{
    private readonly (Tensor Keys, Tensor Values)?[] states = new (Tensor, Tensor)?[layers];

    public long Length => states[0]?.Keys.shape[2] ?? 0;

    public (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        if (states[layer] is { } past)
        {
            (keys, values) = (cat([past.Keys, keys], 2), cat([past.Values, values], 2));
            past.Keys.Dispose();
            past.Values.Dispose();
        }
        states[layer] = (keys.DetachFromDisposeScope(), values.DetachFromDisposeScope());
        return (keys, values);
    }

    /// <summary>A copy for each of <paramref name="times"/> thoughts of every row.</summary>
    public PlainCache Repeat(int times)
    {
        var copy = new PlainCache(states.Length);
        for (var layer = 0; layer < states.Length; layer++)
            copy.states[layer] = (
                states[layer]!.Value.Keys.repeat_interleave(times, 0).DetachFromDisposeScope(),
                states[layer]!.Value.Values.repeat_interleave(times, 0).DetachFromDisposeScope());
        return copy;
    }

    public void Dispose()
    {
        foreach (var state in states)
        {
            state?.Keys.Dispose();
            state?.Values.Dispose();
        }
    }
}
