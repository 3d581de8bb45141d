using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// A digest of float32 values that an accelerator computes where they lie: bringing a large model to the host and hashing it there would take longer
/// than a step. Integer sums have the same bits in whatever order they are taken.
/// </summary>
internal static class DeviceDigest
{
    private const long Width = 1 << 16; // values of one sum

    private const long Significand = 1L << 34; // its 24 bits as a whole number, and below it ten bits for the exponent

    private static readonly long[] Odd = OddNumbers();

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
        var (significands, exponents) = (missing > 0 ? nn.functional.pad(values, [0, missing]) : values).frexp();
        var bits = significands.TimesInPlace(Significand).to(int64).PlusInPlace(exponents); // exact
        return bits.view(-1, Width).mul_(factors).sum(1).MoveToOuterDisposeScope();
    }

    private static long[] OddNumbers()
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, (int)Width).Select(_ => random.NextInt64(long.MinValue, long.MaxValue) | 1)];
    }
}
