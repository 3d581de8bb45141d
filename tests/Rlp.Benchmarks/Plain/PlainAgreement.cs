using Rlp.Training;
using Rlp.Training.Engines;

namespace Rlp.Benchmarks.Plain;

/// <summary>The plain formulation and the engines must compute the same step, or comparing their speed means nothing.</summary>
internal static class PlainAgreement
{
    private const double Tolerance = 1e-4;

    /// <returns>How far they are apart, in words.</returns>
    /// <exception cref="InvalidOperationException">Further than 1e-4.</exception>
    public static string Check(BenchmarkModel model)
    {
        const int GroupSize = 4, ThoughtTokens = 12;
        var positions = model.Positions(3, 40);
        using var sampler = ExactThoughts.Sampler(model, ThoughtTokens);
        var sampled = ExactThoughts.Sample(sampler, 1, positions, GroupSize, ThoughtTokens);
        ScoredGroup[] scored = [.. sampled.Select(g => new ScoredGroup(g, -8.0))];
        using var plain = new PlainRlp(model, ExactThoughts.Temperature);

        var thoughts = sampled.SelectMany(g => g.Thoughts).ToArray();
        var logProbabilities = thoughts
            .Zip(plain.LogProbabilities(scored), (t, p) => t.LogProbabilities.Zip(p, (a, b) => Math.Abs((double)a - b)).Max()).Max();
        Require(logProbabilities, "log-probabilities of thought tokens");
        var evidence = thoughts.Zip(plain.PredictedEvidence(sampled), (t, p) => Math.Abs(t.PredictedEvidence - p)).Max();
        Require(evidence, "S_pred");

        var expected = plain.Gradient(scored);
        using var learner = new Learner(model.Decoder, model.Tokenizer, ExactThoughts.RlpStage(positions.Length, GroupSize, ThoughtTokens));
        learner.ApplyRlp(1, scored);
        double difference = 0, total = 0;
        foreach (var slot in model.Parameters.Layout.Slots)
        {
            using var scope = TorchSharp.torch.NewDisposeScope();
            var ours = model.Parameters.Gradients!.narrow(0, slot.Offset, slot.Length).view(slot.Shape);
            difference += (ours - expected[slot.Name]).square().sum().item<float>();
            total += expected[slot.Name].square().sum().item<float>();
        }
        var gradient = Math.Sqrt(difference / total);
        Require(gradient, "the gradient, relative to its norm");
        return $"the plain formulation computes the same step: log-probabilities differ by at most {logProbabilities:0.0e+0}, "
            + $"S_pred by {evidence:0.0e+0}, the gradient by {gradient:0.0e+0} of its norm";
    }

    private static void Require(double difference, string what)
    {
        if (!(difference <= Tolerance))
            throw new InvalidOperationException(
                $"THE COMPARISON IS VOID: plain formulation and ours differ by {difference:0.0e+0} in {what}; at most {Tolerance:0e+0} was expected");
    }
}
