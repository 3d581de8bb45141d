namespace Rlp.Objective;

/// <summary>
/// How the loss averages: 1/|c| inside each thought, then the mean over thoughts (eq. 8). Not a mean over all tokens of the batch, which
/// would let long thoughts outvote short ones.
/// </summary>
public static class ThoughtWeights
{
    /// <summary>For each of N thoughts the weight 1 / (|c_i| N) of each of its tokens; over all tokens the weights sum to 1.</summary>
    /// <exception cref="ArgumentException">A thought without a token: every thought holds at least one.</exception>
    public static float[] PerThought(IReadOnlyList<int> lengths)
    {
        var weights = new float[lengths.Count];
        for (var i = 0; i < lengths.Count; i++)
        {
            if (lengths[i] < 1)
                throw new ArgumentException($"thought {i} is empty; a thought is at least one token long", nameof(lengths));
            weights[i] = (float)(1.0 / ((double)lengths[i] * lengths.Count));
        }
        return weights;
    }
}
