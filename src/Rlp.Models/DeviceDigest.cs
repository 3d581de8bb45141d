using Rlp.Models.Kernels;
using Rlp.Objective;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// A digest of float32 values that an accelerator computes where they lie: bringing a large model to the host and hashing it there would take longer
/// than a step. Integer sums have the same bits in whatever order they are taken.
/// </summary>
internal static unsafe class DeviceDigest
{
    private const long Width = 1 << 16; // values of one sum

    private const long Significand = 1L << 34; // its 24 bits as a whole number, and below it ten bits for the exponent

    private static readonly long[] Odd = OddNumbers();

    // TorchSharp does not bind view(dtype); libtorch exports it with a C interface: tensor, type, result; an error where not zero.
    private static readonly delegate* unmanaged<nint, int, nint*, int> ViewOnCpu =
        (delegate* unmanaged<nint, int, nint*, int>)NativeSymbols.Find("aoti_torch_cpu_view_dtype");

    private static readonly delegate* unmanaged<nint, int, nint*, int> ViewOnCuda =
        (delegate* unmanaged<nint, int, nint*, int>)NativeSymbols.FindCuda("aoti_torch_cuda_view_dtype");

    /// <summary>An odd number for each place, [<see cref="Width"/>] int64: what <see cref="Sums"/> takes.</summary>
    public static Tensor Factors(Device device) => tensor(Odd, device: device);

    /// <summary>For each <see cref="Width"/> of the values the sum of their bits, each value's times an odd number of its place, modulo 2^64.</summary>
    /// <param name="values">[n] float32.</param>
    /// <param name="factors">Of <see cref="Factors"/>, on the values' device.</param>
    /// <returns>[ceil(n / Width)] int64, on the values' device.</returns>
    public static Tensor Sums(Tensor values, Tensor factors)
    {
        using var scope = NewDisposeScope();
        var missing = (Width - (values.numel() % Width)) % Width;
        if (missing > 0) values = nn.functional.pad(values, [0, missing]);
        return (Viewed(values) ?? Composed(values)).view(-1, Width).mul(factors).sum(1).MoveToOuterDisposeScope();
    }

    /// <summary>Each value's bits as they lie, [n] int32; null where libtorch gives no such view.</summary>
    internal static Tensor? Viewed(Tensor values)
    {
        var device = values.device_type;
        delegate* unmanaged<nint, int, nint*, int> view = device == DeviceType.CPU ? ViewOnCpu : device == DeviceType.CUDA ? ViewOnCuda : null;
        if (view is null) return null;
        nint bits;
        return view(values.Handle, (int)ScalarType.Int32, &bits) == 0 ? Tensor.UnsafeCreateTensor(bits)
            : throw new InvalidOperationException("libtorch shows no bits of float32 values; the reason is on the error stream");
    }

    /// <summary>A whole number for each value that no other value has, but for the two zeros: [n] int64.</summary>
    internal static Tensor Composed(Tensor values)
    {
        var (significands, exponents) = values.frexp();
        return significands.TimesInPlace(Significand).to(int64).PlusInPlace(exponents); // exact
    }

    private static long[] OddNumbers()
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, (int)Width).Select(_ => random.NextInt64(long.MinValue, long.MaxValue) | 1)];
    }
}
