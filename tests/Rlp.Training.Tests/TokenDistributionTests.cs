using static TorchSharp.torch;

namespace Rlp.Training.Tests;

public sealed class TokenDistributionTests
{
    /// <summary>As autograd has them in float64; float32 has scores of 16 to 32, as a low temperature makes them, 2e-6 apart.</summary>
    [Theory]
    [InlineData(5, 0.7, true)] // narrower than a vector
    [InlineData(1000, 0.7, true)]
    [InlineData(4096, 1.0, false)]
    [InlineData(50_003, 0.3, true)]
    public void One_pass_and_tensor_operations_give_what_the_definition_gives(int vocabulary, double temperature, bool masked)
    {
        using var scope = NewDisposeScope();
        var random = new Generator(3);
        var logits = randn([7, vocabulary], generator: random) * 2;
        var tokens = randint(0, vocabulary, [7], dtype: int64, generator: random);
        var masks = zeros(3, vocabulary);
        masks[1, TensorIndex.Slice(vocabulary / 2, null)] = float.NegativeInfinity;
        masks[2] = float.NegativeInfinity; // all but one, as where the end marker is forced
        masks[2, 0] = 0;
        var maskRows = tensor(new long[] { 0, 1, 2, 0, 1, 2, 0 });
        if (masked) tokens = tensor(new long[] { 0, 1, 0, vocabulary - 1, 0, 0, 2 });
        var weights = randn([7], generator: random);

        var exact = logits.to(float64).requires_grad_();
        var expected = nn.functional.log_softmax((exact / temperature) + (masked ? masks.index_select(0, maskRows) : 0), -1);
        var chosen = expected.gather(-1, tokens.unsqueeze(-1)).squeeze(-1);
        (chosen.exp() * weights).sum().backward();
        var entropies = (expected.exp() * expected.masked_fill(expected.isinf(), 0)).sum(-1).neg();

        var mask = masked ? new TokenMask(masks, maskRows) : null;
        foreach (var distribution in new[]
        {
            TokenDistribution.Fused(0, logits.clone(), tokens, temperature, mask),
            TokenDistribution.ByOperations(0, logits.clone(), tokens, temperature, mask),
        })
        {
            (distribution.LogProbabilities.exp() * weights).sum().backward();
            AssertClose(chosen.detach(), distribution.LogProbabilities.detach(), 1e-6);
            AssertClose(entropies.detach(), distribution.Entropies, 2e-6);
            AssertClose(exact.grad!, distribution.LogitGradient().detach(), 4e-6);
        }
    }

    private static void AssertClose(Tensor expected, Tensor actual, double relative)
    {
        var norm = expected.norm().item<double>();
        Assert.True(norm > 0);
        Assert.InRange((expected - actual).norm().item<double>() / norm, 0, relative);
    }
}
