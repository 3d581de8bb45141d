using System.Runtime.Intrinsics;
using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models.Tests.Kernels;

/// <summary>The kernels against float64 arithmetic; what they do inside a network is tested with <see cref="DecoderTests"/>.</summary>
public sealed unsafe class KernelTests
{
    [Fact]
    public void The_exponential_is_right_to_two_units_in_the_last_place()
    {
        for (var x = -87.2f; x < 88.6f; x += 0.0137f)
        {
            var value = Floats.Exp(Vector512.Create(x))[7];
            Assert.InRange(Math.Abs((value / Math.Exp(x)) - 1), 0, 2 * 1.2e-7);
        }
        Assert.Equal(0f, Floats.Exp(Vector512.Create(float.NegativeInfinity))[0]);
        Assert.Equal(0f, Floats.Exp(Vector512.Create(-100f))[0]);
        Assert.Equal(1f, Floats.Exp(Vector512<float>.Zero)[0]);
        Assert.True(float.IsNaN(Floats.Exp(Vector512.Create(float.NaN))[0]), "what is not a number must not look like one");
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(3, 31, 17)]
    [InlineData(8, 32, 16)]
    [InlineData(13, 70, 33)]
    [InlineData(29, 64, 48)]
    public void A_packed_matrix_multiplies_like_any_other(int rows, int outputs, int inputs)
    {
        Tensor x = randn(rows, inputs), weights = randn(outputs, inputs), y = randn(rows, outputs);
        var expected = x.to(float64).matmul(weights.to(float64).t());
        using var packed = new PackedMatrix(outputs, inputs);
        packed.Load(CpuKernels.Pointer(weights));
        var added = y.clone();

        packed.Multiply(CpuKernels.Pointer(x), CpuKernels.Pointer(added), rows, add: true, 0, packed.Panels);
        packed.Multiply(CpuKernels.Pointer(x), CpuKernels.Pointer(y), rows, add: false, 0, packed.Panels);

        GC.KeepAlive(x);
        GC.KeepAlive(weights);
        Assert.Equal(0, TinyModels.LargestDifference(expected, y.to(float64)), 1e-4);
        Assert.False(TinyModels.LargestDifference(added.to(float64), y.to(float64)) < 1e-3);
        Assert.Equal(0, TinyModels.LargestDifference(expected, added.to(float64) - (added - y).to(float64)), 1e-4);
    }

    [Fact]
    public void A_loop_covers_each_item_once_and_a_failure_inside_it_reaches_the_caller()
    {
        var counts = new int[1000];
        NativeThreads.For(counts.Length, 1, (begin, end) =>
        {
            for (var i = begin; i < end; i++) Interlocked.Increment(ref counts[i]);
        });
        NativeThreads.Each(counts.Length, i => Interlocked.Increment(ref counts[i]));
        NativeThreads.For(10, 1, (begin, end) => NativeThreads.For(end - begin, 1, (b, e) => // a loop inside a loop
        {
            for (var i = begin + b; i < begin + e; i++) Interlocked.Increment(ref counts[i]);
        }));

        Assert.All(counts[..10], c => Assert.Equal(3, c));
        Assert.All(counts[10..], c => Assert.Equal(2, c));
        Assert.Equal("here", Assert.Throws<InvalidOperationException>(() => NativeThreads.Each(9, i =>
        {
            if (i == 8) throw new InvalidOperationException("here");
        })).Message);
        NativeThreads.Each(2, _ => { }); // and the threads go on
    }

    [Fact]
    public void A_draw_follows_the_weights_and_never_gives_a_token_of_weight_zero()
    {
        const int n = 700;
        using var weights = new Scratch(n);
        var blocks = stackalloc double[SoftmaxKernel.Blocks(n)];
        float* w = weights;
        new Span<float>(w, n).Clear();
        (w[3], w[255], w[256], w[600]) = (1, 2, 4, 1);
        double total = 0;
        for (var b = 0; b < SoftmaxKernel.Blocks(n); b++)
        {
            blocks[b] = 0;
            for (var i = b * SoftmaxKernel.BlockLength; i < Math.Min(n, (b + 1) * SoftmaxKernel.BlockLength); i++) blocks[b] += w[i];
            total += blocks[b];
        }
        foreach (var (uniform, token) in new[] { (0.0, 3), (0.1249, 3), (0.1251, 255), (0.3749, 255), (0.3751, 256), (0.8749, 256), (0.8751, 600), (0.9999999999, 600) })
            Assert.Equal(token, SoftmaxKernel.Draw(w, blocks, total, uniform, n));
        Assert.Equal(600, SoftmaxKernel.Draw(w, blocks, total * (1 + 1e-9), 0.9999999999, n)); // a rest behind the last weight
    }
}
