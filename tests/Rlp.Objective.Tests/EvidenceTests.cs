using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

public sealed class EvidenceTests
{
    [Fact]
    public void Is_the_log_of_the_normalised_exponential()
    {
        var logits = new[,] { { 0.3, -1.2, 2.0 }, { 5.0, 5.0, -3.0 } };
        int[] next = [2, 0];

        using var evidence = Evidence.LogProbability(tensor(logits), tensor(next.Select(n => (long)n).ToArray()));

        for (var row = 0; row < 2; row++)
        {
            var total = Enumerable.Range(0, 3).Sum(v => Math.Exp(logits[row, v]));
            Assert.Equal(Math.Log(Math.Exp(logits[row, next[row]]) / total), evidence[row].item<double>(), 1e-12);
        }
    }

    [Fact]
    public void Stays_finite_for_logits_that_would_overflow_an_exponential()
    {
        using var evidence = Evidence.LogProbability(tensor(new[,] { { 1000f, -1000f } }), tensor(new long[] { 1 }));
        Assert.Equal(-2000f, evidence.item<float>());
    }
}
