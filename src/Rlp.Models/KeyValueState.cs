using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>Keys and values of one attention layer in preallocated tensors [rows, kvHeads, capacity, headDim].</summary>
internal sealed class KeyValueState : LayerState
{
    private readonly bool kernels;

    public KeyValueState(long rows, int kvHeads, long capacity, int headDim, ScalarType dtype, Device device)
    {
        Keys = empty(rows, kvHeads, capacity, headDim, dtype: dtype, device: device).DetachFromDisposeScope();
        Values = empty(rows, kvHeads, capacity, headDim, dtype: dtype, device: device).DetachFromDisposeScope();
        kernels = CpuKernels.Serve(Keys);
        if (kernels) return; // they read no place that was not written
        Keys.zero_();
        Values.zero_();
    }

    /// <summary>[rows, kvHeads, capacity, headDim].</summary>
    public Tensor Keys { get; private set; }

    /// <summary>[rows, kvHeads, capacity, headDim].</summary>
    public Tensor Values { get; private set; }

    /// <summary>What each row continues, by <see cref="DecoderState.ParentRows"/>.</summary>
    public KeyValueState? Parent { get; private init; }

    public override IReadOnlyList<Tensor> Tensors => [Keys, Values];

    public override bool TakesSlots => kernels;

    public override KeyValueState Fork(int times, int capacity) =>
        new(Keys.shape[0] * times, (int)Keys.shape[1], capacity, (int)Keys.shape[3], Keys.dtype, Keys.device) { Parent = this };

    public override void Keep(IReadOnlyList<int> rows) => (Keys, Values) = (Rows(Keys, rows), Rows(Values, rows));

    /// <summary>Stores tokens [M, kvHeads, headDim] at the places [M * kvHeads] of all rows' heads' tokens one behind the other.</summary>
    public void Store(Tensor places, Tensor keys, Tensor values)
    {
        Keys.view(-1, Keys.shape[3]).index_copy_(0, places, keys.reshape(-1, Keys.shape[3]));
        Values.view(-1, Keys.shape[3]).index_copy_(0, places, values.reshape(-1, Keys.shape[3]));
    }

    /// <summary>Stores one token of each row [rows, kvHeads, headDim], all of them at one place of their rows.</summary>
    public void Store(int place, Tensor keys, Tensor values)
    {
        Keys.select(2, place).copy_(keys);
        Values.select(2, place).copy_(values);
    }

    /// <summary>The first tokens of a place, for the kernels.</summary>
    public unsafe KeyBlock Block(int slot, int count)
    {
        long dim = Keys.shape[3], head = Keys.shape[2] * dim, offset = slot * Keys.shape[1] * head;
        return new KeyBlock
        {
            Keys = CpuKernels.Pointer(Keys) + offset,
            Values = CpuKernels.Pointer(Values) + offset,
            KeyStride = dim,
            ValueStride = dim,
            HeadStride = head,
            Count = count,
        };
    }

    public override void Dispose()
    {
        Keys.Dispose();
        Values.Dispose();
    }
}
