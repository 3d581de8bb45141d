using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>The sums do not depend on the device, so the CPU shows what they tell apart.</summary>
public sealed class DeviceDigestTests
{
    [Theory]
    [InlineData(3)]
    [InlineData((1 << 16) + 5)]
    public void Equal_values_have_equal_sums_and_one_other_bit_or_two_values_exchanged_have_others(int count)
    {
        var values = randn(count, generator: new Generator(1));
        var sums = Sums(values).data<long>().ToArray();
        Assert.Equal((count + (1 << 16) - 1) >> 16, sums.Length);
        Assert.Equal(sums, Sums(values.clone()).data<long>());

        var bit = values.clone();
        bit[count - 1] = MathF.BitIncrement(bit[count - 1].item<float>());
        Assert.NotEqual(sums, Sums(bit).data<long>());

        var exchanged = values.clone();
        (exchanged[0], exchanged[2]) = (values[2].clone(), values[0].clone());
        Assert.NotEqual(sums, Sums(exchanged).data<long>());
    }

    [Fact]
    public void The_smallest_and_the_largest_float_count_with_all_their_bits()
    {
        float[] all = [float.Epsilon, 2 * float.Epsilon, float.MaxValue, MathF.BitDecrement(float.MaxValue), 0, -1, 1, 1.0000001f, float.MinValue];
        Assert.Equal(all.Length, all.Select(v => Sums(tensor(new[] { v })).item<long>()).Distinct().Count());
    }

    private static Tensor Sums(Tensor values) => DeviceDigest.Sums(values, DeviceDigest.Factors(CPU));
}
