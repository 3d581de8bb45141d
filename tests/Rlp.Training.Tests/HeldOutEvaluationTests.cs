using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

public sealed class HeldOutEvaluationTests
{
    private static readonly CompareSettings Settings = new() { Corpus = "", Samples = 50, Temperature = 1.0, MaxThoughtTokens = 4 };

    [Fact]
    public void Accuracy_without_thinking_is_the_probability_of_the_right_answer_among_texts()
    {
        using var policy = new TinyPolicy();
        var problems = Problems(policy, 200);
        using var evaluation = new HeldOutEvaluation(policy.Decoder, policy.Tokenizer, Settings, seed: 1, problems);

        var result = evaluation.Run(200);

        // The exact expectation, without sampling: p(x_t | prefix) renormalised over everything but padding and markers.
        using var noGradient = no_grad();
        var expected = problems.Average(p =>
        {
            var hidden = policy.Decoder.Hidden(tensor(p.Prefix.Select(t => (long)t).ToArray()).unsqueeze(0));
            var weights = policy.Decoder.Logits(hidden)[0, p.Prefix.Length - 1].exp().data<float>().Take(14).ToArray();
            return weights[p.NextToken] / weights.Sum();
        });
        Assert.Equal(expected, result.NothinkAccuracy, 4 * Math.Sqrt(0.25 / (200 * 50)));
        Assert.InRange(result.NothinkAccuracyStandardError, 1e-4, 0.05);
    }

    [Fact]
    public void The_number_of_problems_evaluated_together_changes_nothing_for_the_first_ones()
    {
        using var policy = new TinyPolicy();
        using var evaluation = new HeldOutEvaluation(policy.Decoder, policy.Tokenizer, Settings, seed: 1, Problems(policy, 70));

        Assert.Equal(evaluation.Run(3).Samples.Select(s => s.Thought), evaluation.Run(70).Samples.Take(3).Select(s => s.Thought));
        Assert.Equal(evaluation.Run(70).ThinkAccuracy, evaluation.Run(70).ThinkAccuracy);
    }

    [Fact]
    public void Answers_are_never_rows_of_the_model_that_are_no_tokens()
    {
        using var policy = new TinyPolicy(spareRows: 500); // nearly all of the unmasked probability
        var problems = Problems(policy, 40);
        using var evaluation = new HeldOutEvaluation(policy.Decoder, policy.Tokenizer, Settings, seed: 1, problems);

        var result = evaluation.Run(40); // decoding a row that is no token would throw

        // Among the 14 texts the right one comes about every 14th time; among 517 rows it hardly would.
        Assert.InRange(result.NothinkAccuracy, 0.02, 0.3);
        Assert.InRange(result.ThinkAccuracy, 0.02, 0.3);
    }

    private static GroupPosition[] Problems(TinyPolicy policy, int count) =>
        [.. Enumerable.Range(0, count).Select(i => new GroupPosition(i, policy.Tokenizer.Encode($"{i % 10}+{i / 10 % 10}="), ((i % 10) + (i / 10)) % 10))];
}
