using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>The bytes of flat tensors, piece by piece, on whatever device they lie.</summary>
public static class TensorBytes
{
    /// <summary>Copies bytes of a flat contiguous tensor.</summary>
    /// <param name="offset">In bytes; like the length of <paramref name="into"/> a multiple of an element's.</param>
    public static void CopyBytesTo(this Tensor flat, long offset, Span<byte> into)
    {
        using var part = Part(flat, offset, into.Length);
        using var host = part.cpu();
        host.bytes.CopyTo(into);
    }

    /// <summary>Overwrites bytes of a flat contiguous tensor.</summary>
    /// <param name="offset">In bytes; like the length of <paramref name="from"/> a multiple of an element's.</param>
    public static void CopyBytesFrom(this Tensor flat, long offset, ReadOnlySpan<byte> from)
    {
        using var noGradient = no_grad();
        using var part = Part(flat, offset, from.Length);
        if (part.device_type == DeviceType.CPU)
        {
            from.CopyTo(part.bytes);
            return;
        }
        using var host = empty(part.numel(), dtype: part.dtype);
        from.CopyTo(host.bytes);
        part.copy_(host);
    }

    private static Tensor Part(Tensor flat, long offset, int length)
    {
        var size = flat.element_size();
        if (offset % size != 0 || length % size != 0) throw new ArgumentException($"{length} bytes at {offset} are no whole elements of {size} bytes", nameof(offset));
        return flat.narrow(0, offset / size, length / size);
    }
}
