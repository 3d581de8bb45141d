using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

public sealed class KlPenaltyTests
{
    private static readonly double[] Policy = [0.5, 0.3, 0.15, 0.05];
    private static readonly double[] Reference = [0.1, 0.2, 0.3, 0.4];

    [Fact]
    public void Its_expectation_under_the_policy_is_the_divergence()
    {
        var divergence = Policy.Zip(Reference, (p, q) => p * Math.Log(p / q)).Sum();

        // Weighting every token of the vocabulary by its probability under the policy enumerates the expectation.
        using var estimate = KlPenalty.Estimate(tensor(Policy).log(), tensor(Reference).log(), tensor(Policy));

        Assert.Equal(divergence, estimate.item<double>(), 1e-12);
    }

    [Fact]
    public void Is_never_negative_and_zero_only_at_the_reference()
    {
        for (var token = 0; token < 4; token++)
        {
            using var apart = KlPenalty.Estimate(tensor(new[] { Math.Log(Policy[token]) }), tensor(new[] { Math.Log(Reference[token]) }), tensor(new[] { 1.0 }));
            Assert.True(apart.item<double>() > 0);
        }
        using var same = KlPenalty.Estimate(tensor(Policy).log(), tensor(Policy).log(), tensor(Policy));
        Assert.Equal(0, same.item<double>());
    }

    [Fact]
    public void Gradient_is_one_minus_the_probability_ratio()
    {
        // d/dx (exp(r - x) - (r - x) - 1) = 1 - exp(r - x)
        var logProbabilities = tensor(new[] { -0.7 }, requires_grad: true);
        KlPenalty.Estimate(logProbabilities, tensor(new[] { -1.9 }), tensor(new[] { 1.0 })).backward();
        Assert.Equal(1 - Math.Exp(-1.9 + 0.7), logProbabilities.grad!.item<double>(), 1e-12);
    }
}
