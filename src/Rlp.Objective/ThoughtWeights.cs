namespace Rlp.Objective;

/// <summary>
/// How the loss averages: 1/|c| inside each thought, then the mean over thoughts (eq. 8). Not a mean over all tokens of the batch, which
/// would let long thoughts outvote short ones.
/// </summary>
public static class ThoughtWeights
{
    /// <summary>The weight 1 / (|c| N) of each token of one of N thoughts.</summary>
    /// <exception cref="ArgumentException">A thought without a token: every thought holds at least one.</exception>
    public static float Of(int length, int thoughts) => length < 1
        ? throw new ArgumentException("a thought is empty; it is at least one token long", nameof(length))
        : (float)(1.0 / ((double)length * thoughts));

    /// <summary>The weight 1 / (|c_i| N) of every token of N thoughts, thoughts one after another; the weights sum to 1.</summary>
    /// <exception cref="ArgumentException">A thought without a token: every thought holds at least one.</exception>
    public static float[] PerToken(IReadOnlyList<int> lengths)
    {
        var weights = new float[lengths.Sum()];
        var at = 0;
        for (var i = 0; i < lengths.Count; i++)
        {
            if (lengths[i] < 1)
                throw new ArgumentException($"thought {i} is empty; a thought is at least one token long", nameof(lengths));
            Array.Fill(weights, (float)(1.0 / ((double)lengths[i] * lengths.Count)), at, lengths[i]);
            at += lengths[i];
        }
        return weights;
    }
}
