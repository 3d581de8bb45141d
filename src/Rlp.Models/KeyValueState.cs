using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Keys and values of one attention layer in preallocated tensors [B, kvHeads, capacity, headDim].</summary>
internal sealed class KeyValueState : LayerState
{
    private readonly Tensor keys;
    private readonly Tensor values;

    public KeyValueState(long batch, int kvHeads, long capacity, int headDim, ScalarType dtype, Device device)
    {
        keys = empty(batch, kvHeads, capacity, headDim, dtype: dtype, device: device).DetachFromDisposeScope();
        values = empty(batch, kvHeads, capacity, headDim, dtype: dtype, device: device).DetachFromDisposeScope();
    }

    private KeyValueState(Tensor keys, Tensor values) => (this.keys, this.values) = (keys, values);

    public override IReadOnlyList<Tensor> Tensors => [keys, values];

    /// <summary>Stores [B, kvHeads, T, headDim] behind the <paramref name="length"/> that are there and returns all of them.</summary>
    public (Tensor Keys, Tensor Values) Append(int length, Tensor newKeys, Tensor newValues)
    {
        var count = newKeys.shape[2];
        keys.narrow(2, length, count).copy_(newKeys);
        values.narrow(2, length, count).copy_(newValues);
        return (keys.narrow(2, 0, length + count), values.narrow(2, 0, length + count));
    }

    public override KeyValueState Repeat(int times, int length, long capacity)
    {
        return new KeyValueState(Copy(keys), Copy(values));

        Tensor Copy(Tensor source)
        {
            using var scope = NewDisposeScope();
            var shape = source.shape;
            var target = empty(shape[0] * times, shape[1], capacity, shape[3], dtype: source.dtype, device: source.device);
            target.narrow(2, 0, length).copy_(source.narrow(2, 0, length).repeat_interleave(times, 0));
            return target.MoveToOuterDisposeScope().DetachFromDisposeScope();
        }
    }

    public override void Dispose()
    {
        keys.Dispose();
        values.Dispose();
    }
}
