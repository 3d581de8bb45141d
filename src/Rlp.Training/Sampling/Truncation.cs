using Rlp.Models.Kernels;

namespace Rlp.Training.Sampling;

/// <summary>Top-k, top-p and min-p on one row of unnormalised probabilities; its buffers serve row after row.</summary>
internal sealed unsafe class Truncation(SamplingSettings settings, int vocabulary)
{
    private readonly float[] keys = new float[vocabulary];
    private readonly int[] order = new int[vocabulary];

    /// <summary>Sets the weights of the tokens left out to zero and sums the rest anew.</summary>
    /// <param name="blocks">Sums of the weights over <see cref="SoftmaxKernel.Blocks"/>.</param>
    /// <returns>The sum of all weights left.</returns>
    public double Apply(float* weights, double* blocks)
    {
        var most = 0f;
        for (var i = 0; i < vocabulary; i++) most = MathF.Max(most, weights[i]);
        var least = (float)(settings.MinP * most);
        var candidates = 0;
        for (var i = 0; i < vocabulary; i++)
        {
            if (weights[i] <= 0) continue;
            (keys[candidates], order[candidates]) = (-weights[i], i);
            candidates++;
        }
        Array.Sort(keys, order, 0, candidates); // equal weights in no particular order, but always the same
        if (settings.TopK > 0) candidates = Math.Min(candidates, settings.TopK);
        var sum = 0.0;
        for (var i = 0; i < candidates; i++) sum -= keys[i];
        var kept = 0;
        for (var reached = 0.0; kept < candidates; kept++)
        {
            if (kept > 0 && (reached >= settings.TopP * sum || -keys[kept] < least)) break;
            reached -= keys[kept];
        }

        for (var i = 0; i < vocabulary; i++) weights[i] = 0;
        for (var i = 0; i < kept; i++) weights[order[i]] = -keys[i];
        var total = 0.0;
        for (int begin = 0, block = 0; block < SoftmaxKernel.Blocks(vocabulary); begin += SoftmaxKernel.BlockLength, block++)
        {
            blocks[block] = 0;
            for (var i = begin; i < Math.Min(vocabulary, begin + SoftmaxKernel.BlockLength); i++) blocks[block] += weights[i];
            total += blocks[block];
        }
        return total;
    }
}
