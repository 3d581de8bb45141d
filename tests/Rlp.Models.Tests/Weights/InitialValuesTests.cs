using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Models.Tests.Weights;

public sealed class InitialValuesTests
{
    /// <summary>
    /// A run that was begun before must resume with the same bits: one call of the generator per matrix, in the order of the slots.
    /// </summary>
    [Fact]
    public void An_arena_starts_from_one_draw_per_matrix_and_ones()
    {
        using var arena = new ParameterArena(TinyLayout.Make(tied: false), trainable: false);
        arena.Initialize(11, 0.02);

        using var generator = new Generator(11);
        foreach (var slot in arena.Layout.Slots)
        {
            using var expected = slot.Shape.Length == 1 ? ones(slot.Shape) : randn(slot.Shape, generator: generator).mul_(0.02);
            Assert.Equal([.. expected.data<float>()], TinyLayout.Values(arena, slot.Name));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(1029)]
    public void Pieces_are_the_bits_of_one_draw(int beyond)
    {
        var layout = new ArenaLayout();
        layout.AddMatrix("a", 1, ("a.weight", (2 * SafeTensorsFile.Piece) + beyond), ("b.weight", 40));
        using var arena = new ParameterArena(layout, trainable: false);
        arena.Initialize(3, 1);

        using var generator = new Generator(3);
        using var a = randn([layout.Slots[0].Length], generator: generator);
        using var b = randn([40], generator: generator);
        using var expected = cat([a, b]);
        using var drawn = arena.Values.narrow(0, 0, expected.numel());
        Assert.True(expected.Equals(drawn));
    }

    [Fact]
    public void A_mamba_mixer_starts_as_its_paper_says()
    {
        const int Heads = 512, Kernel = 4;
        var layout = new ArenaLayout();
        layout.AddMatrix("in", 8, ("backbone.layers.0.mixer.in_proj.weight", 4096));
        layout.AddMatrix("out", 8, ("backbone.layers.0.mixer.out_proj.weight", 4096));
        layout.AddVector("backbone.layers.0.mixer.A_log", Heads);
        layout.AddVector("backbone.layers.0.mixer.D", Heads);
        layout.AddVector("backbone.layers.0.mixer.dt_bias", Heads);
        layout.AddVector("backbone.layers.0.mixer.conv1d.bias", 6);
        using var arena = new ParameterArena(layout, trainable: false);
        arena.Initialize(1, new InitializationSettings { Range = 0.02, TimeStep = (0.001, 0.1, 0.002), RescaledLayers = 4 });

        float[] Values(string name) => TinyLayout.Values(arena, $"backbone.layers.0.mixer.{name}");
        Assert.All(Values("A_log").Select((v, i) => (v, i)), p => Assert.Equal(Math.Log(p.i + 1), p.v, 1e-5));
        Assert.All(Values("D"), v => Assert.Equal(1, v));
        Assert.All(Values("conv1d.bias"), v => Assert.Equal(0, v));
        double[] dt = [.. Values("dt_bias").Select(v => Math.Log(1 + Math.Exp(v)))];
        Assert.All(dt, v => Assert.InRange(v, 0.002 * 0.999, 0.1 * 1.001));
        Assert.Equal(Math.Log(2) / Math.Log(100), dt.Count(v => v < 0.002 * 1.001) / (double)Heads, 0.06); // what the floor lifts
        Assert.Equal(0.5, dt.Count(v => v < 0.01) / (double)Heads, 0.07); // the middle of a log-uniform range

        double Deviation(string name) => Math.Sqrt(Values(name).Average(v => v * v));
        Assert.Equal(0.02, Deviation("in_proj.weight"), 0.001);
        Assert.Equal(0.01, Deviation("out_proj.weight"), 0.0005);

        // The convolution is no matrix: its rule looks at the last dimension.
        using var values = new InitialValues(1, new InitializationSettings());
        using var convolution = Assert.Single(values.Pieces(new ArenaSlot("backbone.layers.0.mixer.conv1d.weight", [1000, 1, Kernel], 0)));
        Assert.InRange(convolution.max().item<float>(), 0.49f, 0.5f);
        Assert.InRange(convolution.min().item<float>(), -0.5f, -0.49f);
    }

    [Fact]
    public void A_bfloat16_arena_starts_from_the_rounded_values()
    {
        using var full = new ParameterArena(TinyLayout.Make(), trainable: false);
        using var half = new ParameterArena(TinyLayout.Make(), trainable: false, dtype: ScalarType.BFloat16);
        full.Initialize(2, 0.02);
        half.Initialize(2, 0.02);

        Assert.Equal(TinyLayout.Values(full, TinyLayout.Embedding).Select(v => (float)HalfPrecision.ToBFloat16(v)), TinyLayout.Values(half, TinyLayout.Embedding));
        Assert.Throws<ArgumentException>(() => new ParameterArena(TinyLayout.Make(), trainable: false, dtype: ScalarType.Float64));
    }
}
