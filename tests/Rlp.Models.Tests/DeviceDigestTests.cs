using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>The sums do not depend on the device, so the CPU shows what they tell apart.</summary>
public sealed class DeviceDigestTests
{
    private const int Width = 1 << 16;

    [Theory]
    [InlineData(3)]
    [InlineData(Width + 5)]
    public void Equal_values_have_equal_sums_and_one_other_bit_or_two_values_exchanged_have_others(int count)
    {
        var values = randn(count, generator: new Generator(1));
        var sums = Sums(values);
        Assert.Equal((count + Width - 1) / Width, sums.Length);
        Assert.Equal(sums, Sums(values.clone()));

        var bit = values.clone();
        bit[count - 1] = MathF.BitIncrement(bit[count - 1].item<float>());
        Assert.NotEqual(sums, Sums(bit));

        var exchanged = values.clone();
        (exchanged[0], exchanged[2]) = (values[2].clone(), values[0].clone());
        Assert.NotEqual(sums, Sums(exchanged));
    }

    [Fact]
    public void Every_float_counts_with_all_its_bits_seen_as_they_lie_or_composed()
    {
        float[] all = [float.Epsilon, 2 * float.Epsilon, float.MaxValue, MathF.BitDecrement(float.MaxValue), 0, -1, 1, 1.0000001f, float.MinValue];
        var values = tensor(all);
        Assert.Equal([.. all.Select(BitConverter.SingleToInt32Bits)], DeviceDigest.Viewed(values)!.data<int>().ToArray());
        Assert.Equal(all.Length, DeviceDigest.Composed(values).data<long>().Distinct().Count());
    }

    private static long[] Sums(Tensor values) => [.. DeviceDigest.Sums(values, DeviceDigest.Factors(CPU)).data<long>()];
}
