using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>The chunked scan against the recurrence written out as loops, both in float64.</summary>
public sealed class StateSpaceScanTests
{
    private const int Batch = 2, Heads = 4, Dim = 3, Size = 5, Chunk = 8;

    public static TheoryData<int, int, bool> Shapes
    {
        get
        {
            var data = new TheoryData<int, int, bool>();
            foreach (var length in new[] { 1, Chunk - 1, Chunk, Chunk + 1, (3 * Chunk) + 5 })
                foreach (var groups in new[] { 1, 2, 4 })
                    foreach (var initial in new[] { false, true }) data.Add(length, groups, initial);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_chunked_scan_is_the_recurrence(int length, int groups, bool withInitial)
    {
        var inputs = Inputs(length, groups, withInitial);
        var (expected, expectedState) = Loop(inputs);
        foreach (var chunk in new[] { Chunk, 1, 3, 1000 })
        {
            var (y, state) = StateSpaceScan.Chunked(inputs.X, inputs.Dt, inputs.A, inputs.B, inputs.C, inputs.Initial, chunk);
            Assert.Equal(0, TinyModels.LargestDifference(expected, y), 1e-12);
            Assert.Equal(0, TinyModels.LargestDifference(expectedState, state), 1e-12);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void A_step_is_one_turn_of_the_recurrence(int groups)
    {
        var inputs = Inputs(6, groups, withInitial: true);
        var (expected, expectedState) = Loop(inputs);
        var state = inputs.Initial!.clone();
        for (var t = 0; t < 6; t++)
        {
            var y = StateSpaceScan.Step(inputs.X.select(1, t), inputs.Dt.select(1, t), inputs.A, inputs.B.select(1, t), inputs.C.select(1, t), state);
            Assert.Equal(0, TinyModels.LargestDifference(expected.select(1, t), y), 1e-12);
        }
        Assert.Equal(0, TinyModels.LargestDifference(expectedState, state), 1e-12);
    }

    [Fact]
    public void Small_decays_behind_a_large_one_keep_their_digits_in_float32()
    {
        // One token of strong decay puts all later sums at -4,000, where float32 has steps of 2e-4: as much would the differences be off.
        var exact = Inputs(256, 2, withInitial: true) with { A = tensor(new[] { -20.0, -1.0, -0.1, -1e-4 }) };
        exact.Dt.mul_(0.1).narrow(1, 0, 1).fill_(200);
        var single = exact.To(ScalarType.Float32);
        var rounded = single.To(ScalarType.Float64);

        var (expected, _) = Loop(rounded);
        var (y, _) = StateSpaceScan.Chunked(single.X, single.Dt, single.A, single.B, single.C, single.Initial, 256);

        var scale = expected.abs().amax([0, 1, 3]); // per head
        var relative = (y.to(float64) - expected).abs().amax([0, 1, 3]) / scale;
        Assert.True(relative.max().item<double>() < 3e-6, $"relative differences per head {string.Join(", ", relative.data<double>())}");
    }

    [Fact]
    public void Gradients_of_the_chunked_scan_agree_with_finite_differences()
    {
        var inputs = Inputs((2 * Chunk) + 3, 2, withInitial: true);
        Tensor[] leaves = [inputs.X, inputs.Dt, inputs.A, inputs.B, inputs.C, inputs.Initial!];
        using var generator = new Generator(5);
        var (weightY, weightState) = (randn(inputs.X.shape, dtype: float64, generator: generator), randn(inputs.Initial!.shape, dtype: float64, generator: generator));
        foreach (var leaf in leaves) leaf.requires_grad_();
        Loss().backward();

        using var noGradient = no_grad();
        foreach (var leaf in leaves)
        {
            var flat = leaf.view(-1);
            for (long i = 0; i < flat.numel(); i += Math.Max(1, flat.numel() / 40))
            {
                const double h = 1e-5;
                var entry = flat.narrow(0, i, 1);
                entry.PlusInPlace(h);
                var above = Loss().item<double>();
                entry.PlusInPlace(-2 * h);
                var below = Loss().item<double>();
                entry.PlusInPlace(h);
                Assert.Equal((above - below) / (2 * h), leaf.grad!.reshape(-1)[i].item<double>(), 1e-7);
            }
        }

        Tensor Loss()
        {
            var (y, state) = StateSpaceScan.Chunked(inputs.X, inputs.Dt, inputs.A, inputs.B, inputs.C, inputs.Initial, Chunk);
            return (y * weightY).sum().Plus((state * weightState).sum());
        }
    }

    private sealed record ScanInputs(Tensor X, Tensor Dt, Tensor A, Tensor B, Tensor C, Tensor? Initial)
    {
        public ScanInputs To(ScalarType type) => new(X.to(type), Dt.to(type), A.to(type), B.to(type), C.to(type), Initial?.to(type));
    }

    private static ScanInputs Inputs(int length, int groups, bool withInitial)
    {
        using var generator = new Generator((ulong)(length + (100 * groups)));
        Tensor Normal(params long[] shape) => randn(shape, dtype: float64, generator: generator);
        return new ScanInputs(
            Normal(Batch, length, Heads, Dim), rand([Batch, length, Heads], dtype: float64, generator: generator) * 0.5,
            -rand([Heads], dtype: float64, generator: generator) - 0.05, Normal(Batch, length, groups, Size), Normal(Batch, length, groups, Size),
            withInitial ? Normal(Batch, Heads, Dim, Size) : null);
    }

    /// <summary>h = exp(dt a) h + dt x B, y = h C: one number after the other.</summary>
    private static (Tensor Y, Tensor State) Loop(ScanInputs inputs)
    {
        int length = (int)inputs.X.shape[1], groups = (int)inputs.B.shape[2];
        double[] x = [.. inputs.X.contiguous().data<double>()], dt = [.. inputs.Dt.contiguous().data<double>()], a = [.. inputs.A.contiguous().data<double>()];
        double[] b = [.. inputs.B.contiguous().data<double>()], c = [.. inputs.C.contiguous().data<double>()];
        double[] h = inputs.Initial is null ? new double[Batch * Heads * Dim * Size] : [.. inputs.Initial.contiguous().data<double>()];
        var y = new double[x.Length];
        for (var row = 0; row < Batch; row++)
            for (var t = 0; t < length; t++)
                for (var head = 0; head < Heads; head++)
                    for (var p = 0; p < Dim; p++)
                        for (var n = 0; n < Size; n++)
                        {
                            var (token, group) = ((row * length) + t, head / (Heads / groups));
                            var at = (((((row * Heads) + head) * Dim) + p) * Size) + n;
                            var step = dt[(token * Heads) + head];
                            var (channel, shared) = ((((token * Heads) + head) * Dim) + p, (((token * groups) + group) * Size) + n);
                            h[at] = (Math.Exp(step * a[head]) * h[at]) + (step * x[channel] * b[shared]);
                            y[channel] += h[at] * c[shared];
                        }
        return (tensor(y).view(inputs.X.shape), tensor(h).view(Batch, Heads, Dim, Size));
    }
}
