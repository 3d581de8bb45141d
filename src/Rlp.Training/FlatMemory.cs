using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>Where a flat tensor on the CPU lies: its elements can be more than a span holds.</summary>
internal static class FlatMemory
{
    /// <param name="tensor">[n] float32, contiguous; stays alive while the address is used.</param>
    public static unsafe float* Of(Tensor tensor)
    {
        if (tensor.dtype != ScalarType.Float32 || !tensor.is_contiguous()) throw new ArgumentException("expected contiguous float32", nameof(tensor));
        using var first = tensor.narrow(0, 0, 1);
        fixed (byte* address = first.bytes) return (float*)address;
    }
}
