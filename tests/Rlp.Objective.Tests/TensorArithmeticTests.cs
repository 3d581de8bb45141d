using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

public sealed class TensorArithmeticTests : IDisposable
{
    private readonly DisposeScope scope = NewDisposeScope();

    public void Dispose() => scope.Dispose();

    private static float[] Numbers(Tensor tensor) => [.. tensor.to(float32).data<float>()];

    public static TheoryData<string, Func<Tensor, Tensor, Tensor>, Func<Tensor, Tensor, Tensor>> Forms => new()
    {
        { "x + y", (x, y) => x.Plus(y), (x, y) => x + y },
        { "x + 0.3", (x, _) => x.Plus(0.3), (x, _) => x + 0.3 },
        { "x - 0.3", (x, _) => x.Minus(0.3), (x, _) => x - 0.3 },
        { "0.3 x", (x, _) => x.Times(0.3), (x, _) => x * 0.3 },
        { "x / 0.3", (x, _) => x.Over(0.3), (x, _) => x / 0.3 },
        { "x^2", (x, _) => x.Squared(), (x, _) => x.square() },
        { "x + x y", (x, y) => x.PlusProduct(x, y), (x, y) => x.addcmul(x, y, 1) },
        { "x + 0.3 y in place", (x, y) => x.clone().PlusInPlace(y, 0.3), (x, y) => x.clone().add_(y, 0.3) },
        { "x + y in place", (x, y) => x.clone().PlusInPlace(y), (x, y) => x.clone().add_(y) },
        { "x + 0.3 in place", (x, _) => x.clone().PlusInPlace(0.3), (x, _) => x.clone().add_(0.3) },
        { "x + x y in place", (x, y) => x.clone().PlusProductInPlace(x, y), (x, y) => x.clone().addcmul_(x, y, 1) },
        { "x + 0.3 x y in place", (x, y) => x.clone().PlusProductInPlace(x, y, 0.3), (x, y) => x.clone().addcmul_(x, y, 0.3) },
        { "x + 0.3 x / y in place", (x, y) => x.clone().PlusQuotientInPlace(x, y, 0.3), (x, y) => x.clone().addcdiv_(x, y, 0.3) },
        { "0.3 x in place", (x, _) => x.clone().TimesInPlace(0.3), (x, _) => x.clone().mul_(0.3) },
        { "x / 0.3 in place", (x, _) => x.clone().OverInPlace(0.3), (x, _) => x.clone().div_(0.3) },
        { "clamp", (x, _) => x.Clamped(-0.5, 0.5), (x, _) => x.clamp(-0.5, 0.5) },
        { "clamp from below in place", (x, _) => x.clone().AtLeastInPlace(0.1), (x, _) => x.clone().clamp_min_(0.1) },
        { "below", (x, _) => x.LessThan(0.1), (x, _) => x < 0.1 },
        { "above", (x, _) => x.GreaterThan(0.1), (x, _) => x > 0.1 },
        { "equal", (x, _) => x.to(int64).EqualTo(1), (x, _) => x.to(int64).eq(1) },
        { "fill", (x, _) => x.clone().FilledInPlace(3), (x, _) => full_like(x, 3) },
        { "fill with true", (x, _) => x.isnan().FilledInPlace(true), (x, _) => ones_like(x, dtype: @bool) },
        { "fill where", (x, y) => x.MaskFilled(y.LessThan(0.5), double.NegativeInfinity), (x, y) => x.masked_fill(y < 0.5, double.NegativeInfinity) },
        { "fill integers where", (x, y) => x.to(int64).MaskFilled(y.LessThan(0.5), 7), (x, y) => x.to(int64).masked_fill(y < 0.5, 7) },
        { "fill where in place", (x, y) => x.clone().MaskFilledInPlace(y.LessThan(0.5), 7.5), (x, y) => x.clone().masked_fill_(y < 0.5, 7.5) },
        { "range", (_, _) => Tensor.Range(5, int64), (_, _) => arange(5) },
    };

    [Theory]
    [MemberData(nameof(Forms), DisableDiscoveryEnumeration = true)]
    public void Every_form_gives_the_bits_of_the_operator(string form, Func<Tensor, Tensor, Tensor> kept, Func<Tensor, Tensor, Tensor> plain)
    {
        foreach (var dtype in new[] { ScalarType.Float32, ScalarType.Float64, ScalarType.BFloat16 })
        {
            using var generator = new Generator(3);
            Tensor x = randn([999], float64, generator: generator).to(dtype), y = rand([999], float64, generator: generator).to(dtype);
            Tensor expected = plain(x, y), found = kept(x, y);
            Assert.True(expected.dtype == found.dtype, $"{form}: {found.dtype} in place of {expected.dtype}");
            Assert.Equal(Numbers(expected), Numbers(found));
        }
    }

    /// <summary>Against log(1 + e^x) in float64, where that does not overflow, and its derivative 1 / (1 + e^-x).</summary>
    [Fact]
    public void Softplus_and_its_gradient_are_exact_to_the_last_bits_from_far_below_zero_to_far_above()
    {
        float[] numbers = [-200, -87, -30, -5, -1, -1e-3f, 0, 1e-3f, 1, 5, 19.9f, 20.1f, 30, 87, 200];
        var x = tensor(numbers, requires_grad: true);
        var y = x.Softplus();
        y.sum().backward();
        Assert.All(numbers.Zip(Numbers(y), Numbers(x.grad!)), at =>
        {
            var (input, value, slope) = ((double)at.First, (double)at.Second, (double)at.Third);
            var expected = Math.Max(input, 0) + Math.Log(1 + Math.Exp(-Math.Abs(input)));
            if (input < -10) expected = Math.Exp(input) - (Math.Exp(2 * input) / 2); // where 1 + e^x leaves few digits of e^x
            Assert.Equal(expected, value, 1e-38 + (3e-7 * expected));
            Assert.Equal(1 / (1 + Math.Exp(-input)), slope, 1e-38 + (3e-7 / (1 + Math.Exp(-input))));
        });
        Assert.Equal(Numbers(nn.functional.softplus(x)), Numbers(y), (a, b) => Math.Abs(a - b) <= 3e-7f * Math.Abs(a) + 1e-38f);
    }

    /// <summary>
    /// A scalar that is garbage during a call is freed under it, and then another number or an invalid one is read. A long call, since x is copied before
    /// the number is read.
    /// </summary>
    [Fact]
    public void While_the_garbage_collector_is_always_at_work_no_number_is_lost()
    {
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        var collector = new Thread(() =>
        {
            while (!over.IsCancellationRequested)
            {
                GC.Collect(0, GCCollectionMode.Forced, blocking: true);
                GC.WaitForPendingFinalizers();
            }
        });
        collector.Start();
        try
        {
            using Tensor x = zeros(1 << 22), mask = ones(1 << 22, dtype: @bool);
            for (var number = 1.5; !over.IsCancellationRequested; number++)
            {
                using var filled = x.MaskFilled(mask, number);
                Assert.Equal(number, filled[7].item<float>());
            }
        }
        finally
        {
            over.Cancel();
            collector.Join();
        }
    }
}
