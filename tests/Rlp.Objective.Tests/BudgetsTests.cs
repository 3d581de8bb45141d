namespace Rlp.Objective.Tests;

public sealed class BudgetsTests
{
    [Fact]
    public void Compute_matched_tokens_follow_the_papers_formula()
    {
        // The settings of PAPER.md section 4: 16 rollouts of 2048 tokens, 512 positions, 200 steps, 170M input tokens.
        var tokens = Budgets.ComputeMatchedTokens(rollouts: 16, sequenceLength: 2048, batchSize: 512, iterations: 200, inputTokens: 170_000_000);
        Assert.Equal(3_525_443_200, tokens);
    }

    [Fact]
    public void Decoding_token_by_token_costs_as_much_as_one_pass()
    {
        var whole = Budgets.ForwardFlops(matrixParameters: 1000, queries: 50, cachedKeys: 0, attentionWidth: 64);
        var steps = Enumerable.Range(0, 50).Sum(t => Budgets.ForwardFlops(1000, 1, t, 64));
        Assert.Equal(whole, steps, 1e-6);
    }

    [Fact]
    public void Training_a_long_context_approaches_six_flops_per_weight_and_token_as_the_weights_grow()
    {
        var flops = Budgets.TrainingFlops(matrixParameters: 10_000_000, tokens: 100, attentionWidth: 64);
        Assert.Equal(6.0 * 10_000_000 * 100, flops, 6.0 * 10_000_000 * 100 * 0.001);
    }
}
