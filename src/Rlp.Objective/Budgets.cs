namespace Rlp.Objective;

/// <summary>What a stage costs, in tokens and floating-point operations (PAPER.md section 4).</summary>
public static class Budgets
{
    /// <summary>The paper's compute-matched token budget T_flop = n * l_seq * bs * iters + T_inp, in tokens.</summary>
    /// <param name="rollouts">n: thoughts per position.</param>
    /// <param name="sequenceLength">l_seq: tokens of a sampled sequence.</param>
    /// <param name="batchSize">bs: positions per step.</param>
    /// <param name="iterations">iters: steps.</param>
    /// <param name="inputTokens">T_inp: corpus tokens read.</param>
    public static long ComputeMatchedTokens(long rollouts, long sequenceLength, long batchSize, long iterations, long inputTokens) =>
        checked(rollouts * sequenceLength * batchSize * iterations + inputTokens);

    /// <summary>
    /// FLOPs of one forward pass over a sequence: 2 per weight of a matrix and token, attention's two products with the visible keys
    /// (2 * 2 * layers * heads * headDim per query-key pair), and what recurrent states take per token. A backward pass costs twice as much.
    /// </summary>
    /// <param name="matrixParameters">Weights that multiply a token: all matrices, the output head included, the embedding look-up not.</param>
    /// <param name="queries">Tokens computed.</param>
    /// <param name="cachedKeys">Tokens before them whose keys are read from a cache.</param>
    /// <param name="attentionWidth">Attention layers * heads * headDim.</param>
    /// <param name="stateFlops">FLOPs per token of recurrent states.</param>
    public static double ForwardFlops(long matrixParameters, long queries, long cachedKeys, long attentionWidth, long stateFlops = 0)
    {
        var pairs = queries * (double)cachedKeys + queries * (queries + 1) / 2.0;
        return 2.0 * matrixParameters * queries + 4.0 * attentionWidth * pairs + stateFlops * (double)queries;
    }

    /// <summary>Forward and backward of one sequence without a cache: three times the forward pass.</summary>
    public static double TrainingFlops(long matrixParameters, long tokens, long attentionWidth, long stateFlops = 0) =>
        3 * ForwardFlops(matrixParameters, tokens, 0, attentionWidth, stateFlops);
}
