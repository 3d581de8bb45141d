using static TorchSharp.torch;

namespace Rlp.Models.Tests;

public sealed class RopeScalingTests
{
    [Theory]
    [InlineData(128, 500_000.0, 8.0, 1.0, 4.0, 8192)] // Llama 3.1
    [InlineData(64, 500_000.0, 32.0, 1.0, 4.0, 8192)] // Llama 3.2 1B
    [InlineData(16, 10_000.0, 3.0, 2.0, 5.5, 100)]
    public void Llama3_frequencies_follow_the_published_rule(int headDim, double theta, double factor, double low, double high, int original)
    {
        var actual = RotaryEmbedding.Frequencies(headDim, theta, new Llama3RopeScaling(factor, low, high, original), CPU).data<double>().ToArray();

        // In wavelengths, as Llama 3.1's release states it.
        int kept = 0, stretched = 0, between = 0;
        for (var i = 0; i < headDim / 2; i++)
        {
            var frequency = 1 / Math.Pow(theta, 2.0 * i / headDim);
            var wavelength = 2 * Math.PI / frequency;
            double expected;
            if (wavelength < original / high)
            {
                expected = frequency;
                kept++;
            }
            else if (wavelength > original / low)
            {
                expected = frequency / factor;
                stretched++;
            }
            else
            {
                var smooth = ((original / wavelength) - low) / (high - low);
                expected = ((1 - smooth) * frequency / factor) + (smooth * frequency);
                between++;
            }
            Assert.Equal(expected, actual[i], expected * 1e-12);
        }
        Assert.True(kept > 0 && stretched > 0 && between > 0, "every branch should occur");
    }

    [Fact]
    public void Linear_scaling_divides_positions()
    {
        using var noGradient = no_grad();
        var config = TinyModels.Llama();
        using var plain = TinyModels.Random(config);
        using var scaled = TinyModels.Random(config with { RopeScaling = new LinearRopeScaling(2) });
        using var rotary = new RotaryEmbedding(6, 10_000, null, ScalarType.Float32, CPU);
        using var half = new RotaryEmbedding(6, 10_000, new LinearRopeScaling(2), ScalarType.Float32, CPU);
        var x = randn(5, 2, 6);

        // Position 2t under a factor of two is position t without.
        var even = Rotated(half, x, arange(5) * 2, 8);
        Assert.Equal(0, TinyModels.LargestDifference(Rotated(rotary, x, arange(5), 4), even), 1e-6);
        var tokens = TinyModels.Tokens(1, 12);
        Assert.True(TinyModels.LargestDifference(plain.Hidden(tokens), scaled.Hidden(tokens)) > 1e-3, "the decoder should use its scaling");
    }

    [Fact]
    public void A_decoder_uses_its_llama3_scaling_and_its_theta()
    {
        using var noGradient = no_grad();
        var config = TinyModels.Llama();
        var tokens = TinyModels.Tokens(1, 12);
        using var plain = TinyModels.Random(config);
        using var scaled = TinyModels.Random(config with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 16) });
        using var theta = TinyModels.Random(config with { RopeTheta = 100 });
        Assert.True(TinyModels.LargestDifference(plain.Hidden(tokens), scaled.Hidden(tokens)) > 1e-3);
        Assert.True(TinyModels.LargestDifference(plain.Hidden(tokens), theta.Hidden(tokens)) > 1e-3);
    }

    [Fact]
    public void Rotation_keeps_norms_and_depends_on_distance_alone()
    {
        using var rotary = new RotaryEmbedding(8, 10_000, null, ScalarType.Float64, CPU);
        var q = randn(1, 1, 8, dtype: float64);
        var k = randn(1, 1, 8, dtype: float64);
        Tensor At(Tensor x, int position) => Rotated(rotary, x, tensor([(long)position]), position);
        double Score(int at, int distance) =>
            (At(q, at + distance) * At(k, at)).sum().item<double>();

        Assert.Equal(q.norm().item<double>(), At(q, 37).norm().item<double>(), 1e-12);
        Assert.Equal(Score(0, 5), Score(100, 5), 1e-12);
        Assert.NotEqual(Score(0, 5), Score(0, 6), 1e-3);
    }

    private static Tensor Rotated(RotaryEmbedding rotary, Tensor x, Tensor positions, int last)
    {
        var (cosine, sine) = rotary.At(positions, last, x.dtype);
        return RotaryEmbedding.Apply(x, cosine, sine);
    }
}
