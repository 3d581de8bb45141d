using static TorchSharp.torch;

namespace Rlp.Objective.Tests;

/// <summary>The paper's three propositions, enumerated on a vocabulary of four tokens, thoughts of six kinds and three positions.</summary>
public sealed class PropositionsTests
{
    private const int Vocabulary = 4;
    private const int Thoughts = 6;

    private static double[] Distribution(Random random, int size)
    {
        double[] raw = [.. Enumerable.Range(0, size).Select(_ => random.NextDouble() + 0.05)];
        return [.. raw.Select(v => v / raw.Sum())];
    }

    private static double CrossEntropy(double[] truth, double[] predictor) => -truth.Zip(predictor, (p, q) => p * Math.Log(q)).Sum();

    /// <summary>log p(x) of every x of the vocabulary, through the code under test.</summary>
    private static double[] LogEvidence(double[] predictor)
    {
        var logits = tensor(predictor).log().add(0.37).unsqueeze(0).repeat(Vocabulary, 1); // a constant shift leaves the softmax alone
        using var evidence = Evidence.LogProbability(logits, arange(Vocabulary, dtype: int64));
        return [.. evidence.data<double>()];
    }

    [Fact]
    public void Proposition_1_the_expected_reward_is_the_gain_in_cross_entropy()
    {
        var random = new Random(1);
        double[] truth = Distribution(random, Vocabulary), teacher = Distribution(random, Vocabulary), afterThought = Distribution(random, Vocabulary);

        using var rewards = InformationGain.Rewards(tensor(LogEvidence(afterThought)).unsqueeze(-1), tensor(LogEvidence(teacher))); // one row per x
        var expected = rewards.squeeze(-1).data<double>().Zip(truth, (r, p) => r * p).Sum();

        Assert.Equal(CrossEntropy(truth, teacher) - CrossEntropy(truth, afterThought), expected, 1e-12);
    }

    [Fact]
    public void Proposition_2_expected_evidence_is_at_most_the_evidence_of_the_thought_marginalised_predictor()
    {
        var random = new Random(2);
        var thoughts = Distribution(random, Thoughts);
        double[][] predictors = [.. Enumerable.Range(0, Thoughts).Select(_ => Distribution(random, Vocabulary))];
        double[][] evidence = [.. predictors.Select(LogEvidence)]; // [thought][x]

        for (var x = 0; x < Vocabulary; x++)
        {
            var expected = Enumerable.Range(0, Thoughts).Sum(c => thoughts[c] * evidence[c][x]);
            var marginal = Math.Log(Enumerable.Range(0, Thoughts).Sum(c => thoughts[c] * predictors[c][x]));
            Assert.True(expected < marginal, $"{expected} against {marginal}");
        }
    }

    [Fact]
    public void Proposition_2_holds_with_equality_when_the_thought_does_not_matter()
    {
        var random = new Random(3);
        var thoughts = Distribution(random, Thoughts);
        var evidence = LogEvidence(Distribution(random, Vocabulary));

        for (var x = 0; x < Vocabulary; x++)
        {
            var expected = thoughts.Sum(p => p * evidence[x]);
            var marginal = Math.Log(thoughts.Sum(p => p * Math.Exp(evidence[x])));
            Assert.Equal(marginal, expected, 1e-12);
        }
    }

    [Fact]
    public void Proposition_3_averaged_over_positions_the_reward_is_the_sequences_cross_entropy_gain_per_token()
    {
        // A source of sequences of three tokens whose next token depends on the one before; teacher and thinking policy are other such tables.
        const int length = 3;
        var random = new Random(4);
        double[][] truth = Table(), teacher = Table(), policy = Table();
        double[][] policyEvidence = [.. policy.Select(LogEvidence)], teacherEvidence = [.. teacher.Select(LogEvidence)];

        double rewards = 0, crossEntropyGain = 0;
        for (var sequence = 0; sequence < Math.Pow(Vocabulary, length); sequence++)
        {
            int[] x = [sequence % Vocabulary, sequence / Vocabulary % Vocabulary, sequence / Vocabulary / Vocabulary];
            double probability = 1, meanReward = 0, teacherProbability = 1, policyProbability = 1;
            for (int t = 0, previous = 0; t < length; previous = x[t++])
            {
                probability *= truth[previous][x[t]];
                teacherProbability *= teacher[previous][x[t]];
                policyProbability *= policy[previous][x[t]];
                meanReward += (policyEvidence[previous][x[t]] - teacherEvidence[previous][x[t]]) / length;
            }
            rewards += probability * meanReward;
            crossEntropyGain += probability * (-Math.Log(teacherProbability) + Math.Log(policyProbability)) / length;
        }

        Assert.Equal(crossEntropyGain, rewards, 1e-12);

        double[][] Table() => [.. Enumerable.Range(0, Vocabulary).Select(_ => Distribution(random, Vocabulary))];
    }
}
