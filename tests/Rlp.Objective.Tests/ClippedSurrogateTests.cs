using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

public sealed class ClippedSurrogateTests
{
    private const double Low = 0.2;
    private const double High = 0.28;

    /// <summary>Equation 8 for one token, written with plain numbers.</summary>
    private static double TokenLoss(double current, double behaviour, double advantage)
    {
        var ratio = Math.Exp(current - behaviour);
        var clipped = Math.Clamp(ratio, 1 - Low, 1 + High);
        return -Math.Min(ratio * advantage, clipped * advantage);
    }

    [Theory]
    [InlineData(0.0, 1.5)] // on policy
    [InlineData(0.5, 1.5)] // above the upper bound, good thought: clipped
    [InlineData(0.5, -1.5)] // above the upper bound, bad thought: not clipped
    [InlineData(-0.5, 1.5)] // below the lower bound, good thought: not clipped
    [InlineData(-0.5, -1.5)] // below the lower bound, bad thought: clipped
    [InlineData(0.23, 1.0)] // above 1.2 but below 1.28: the upper range is wider
    [InlineData(-0.23, -1.0)] // below 0.8: clipped
    public void Equals_equation_8_for_one_token(double change, double advantage)
    {
        var behaviour = -1.3;
        using var loss = ClippedSurrogate.Loss(
            tensor(new[] { behaviour + change }), tensor(new[] { behaviour }), tensor(new[] { advantage }), tensor(new[] { 1.0 }), Low, High);

        Assert.Equal(TokenLoss(behaviour + change, behaviour, advantage), loss.item<double>(), 1e-12);
    }

    [Fact]
    public void Gradient_agrees_with_finite_differences_of_the_formula()
    {
        var random = new Random(3);
        double[] current = [.. Enumerable.Range(0, 40).Select(_ => -random.NextDouble() * 3)];
        double[] behaviour = [.. current.Select(c => c + (random.NextDouble() - 0.5))];
        double[] advantages = [.. Enumerable.Range(0, 40).Select(_ => random.NextDouble() * 4 - 2)];
        double[] weights = [.. Enumerable.Range(0, 40).Select(_ => random.NextDouble())];
        var logProbabilities = tensor(current, requires_grad: true);

        ClippedSurrogate.Loss(logProbabilities, tensor(behaviour), tensor(advantages), tensor(weights), Low, High).backward();

        const double h = 1e-6;
        for (var u = 0; u < current.Length; u++)
        {
            var numeric = weights[u] * (TokenLoss(current[u] + h, behaviour[u], advantages[u]) - TokenLoss(current[u] - h, behaviour[u], advantages[u])) / (2 * h);
            Assert.Equal(numeric, logProbabilities.grad![u].item<double>(), 1e-6);
        }
    }

    [Fact]
    public void On_policy_gradient_is_the_policy_gradient_estimator()
    {
        var logProbabilities = tensor(new[] { -0.7, -1.1, -2.0 }, requires_grad: true);
        var advantages = new[] { 0.5, 0.5, -1.0 };
        var weights = new[] { 0.25, 0.25, 0.5 };

        ClippedSurrogate.Loss(logProbabilities, logProbabilities.detach(), tensor(advantages), tensor(weights), Low, High).backward();

        for (var u = 0; u < 3; u++) Assert.Equal(-weights[u] * advantages[u], logProbabilities.grad![u].item<double>(), 1e-12);
    }

    [Fact]
    public void Nothing_flows_through_behaviour_and_advantages()
    {
        var behaviour = tensor(new[] { -1.0 }, requires_grad: true);
        var advantages = tensor(new[] { 2.0 }, requires_grad: true);
        var logProbabilities = tensor(new[] { -0.9 }, requires_grad: true);

        ClippedSurrogate.Loss(logProbabilities, behaviour, advantages, tensor(new[] { 1.0 }), Low, High).backward();

        Assert.NotNull(logProbabilities.grad);
        Assert.True(behaviour.grad is null && advantages.grad is null);
    }

    [Fact]
    public void Clip_ratios_count_only_tokens_whose_gradient_was_cut()
    {
        var behaviour = tensor(new[] { -1.0, -1.0, -1.0, -1.0 });
        var current = tensor(new[] { -0.5, -0.5, -1.5, -1.5 });
        var advantages = tensor(new[] { 1.0, -1.0, 1.0, -1.0 });
        var weights = tensor(new[] { 0.1, 0.2, 0.3, 0.4 }).to(float32);

        var (low, high) = ClippedSurrogate.ClipRatios(current, behaviour, advantages, weights, Low, High);

        Assert.Equal(0.4, low, 1e-6);
        Assert.Equal(0.1, high, 1e-6);
    }
}
