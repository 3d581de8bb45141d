using Rlp.Models;
using Rlp.Objective;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

public sealed class LearnerTests
{
    private static StageSettings Stage(int microBatchTokens = 16_384, double beta = 0, double learningRate = 1e-3) => new()
    {
        Id = "rlp",
        Kind = StageKind.Rlp,
        Steps = 10,
        BatchSize = 3,
        Data = [],
        MicroBatchTokens = microBatchTokens,
        Optimizer = new OptimizerSettings { LearningRate = learningRate, MaxGradNorm = 0 },
        Rlp = new RlpSettings { GroupSize = 4, Temperature = 0.7, MaxThoughtTokens = 6, Beta = beta },
    };

    private static IReadOnlyList<ScoredGroup> Groups(TinyPolicy policy, double teacherEvidence = -2.5, double staleness = 0)
    {
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 4, new SamplingSettings { Temperature = 0.7, MaxThoughtTokens = 6 });
        return [.. sampler.Sample(1, policy.Positions("1+2=", "3+4-5=", "9="), 4).Select(g => new ScoredGroup(
            g with { Thoughts = [.. g.Thoughts.Select((t, i) => t with { LogProbabilities = [.. t.LogProbabilities.Select(l => (float)(l + (staleness * (i - 1.5))))] })] },
            teacherEvidence))];
    }

    private static float[] Gradient(TinyPolicy policy, IReadOnlyList<ScoredGroup> groups, StageSettings stage)
    {
        using var learner = new Learner(policy.Decoder, policy.Tokenizer, stage);
        learner.ApplyRlp(1, groups);
        return [.. policy.Parameters.Gradients!.data<float>()];
    }

    /// <summary>Equations 7 and 8 written out thought by thought, token by token, one unpadded sequence at a time.</summary>
    private static (double Loss, float[] Gradient) Plain(TinyPolicy policy, IReadOnlyList<ScoredGroup> groups, RlpSettings settings)
    {
        policy.Parameters.ZeroGradients();
        var total = 0.0;
        var thoughts = groups.Sum(g => g.Sampled.Thoughts.Count);
        foreach (var group in groups)
        {
            var rewards = group.Rewards();
            for (var i = 0; i < rewards.Length; i++)
            {
                var thought = group.Sampled.Thoughts[i];
                var advantage = rewards[i] - ((rewards.Sum() - rewards[i]) / (rewards.Length - 1));
                long[] sequence = [.. group.Sampled.Position.Prefix.Select(t => (long)t), policy.Tokenizer.BeginThought, .. thought.Tokens.Select(t => (long)t)];
                var logits = policy.Decoder.Logits(policy.Decoder.Hidden(tensor(sequence).unsqueeze(0)))[0]; // [T, V]
                var loss = tensor(0f);
                for (var u = 0; u < thought.Tokens.Length; u++)
                {
                    var scores = logits[sequence.Length - thought.Tokens.Length + u - 1].Over(settings.Temperature);
                    var allowed = Enumerable.Range(0, policy.Tokenizer.VocabularySize).Where(v => u == settings.MaxThoughtTokens - 1
                        ? v == policy.Tokenizer.EndThought
                        : v != policy.Tokenizer.Padding && v != policy.Tokenizer.BeginThought && (u > 0 || v != policy.Tokenizer.EndThought)).Select(v => (long)v).ToArray();
                    var logProbability = scores[thought.Tokens[u]] - scores.index_select(0, tensor(allowed)).logsumexp(0);
                    var ratio = logProbability.Minus(thought.LogProbabilities[u]).exp();
                    loss -= minimum(ratio.Times(advantage), ratio.Clamped(1 - settings.EpsilonLow, 1 + settings.EpsilonHigh).Times(advantage));
                }
                loss = loss.Over(thought.Tokens.Length).Over(thoughts);
                loss.backward();
                total += loss.item<float>();
            }
        }
        return (total, [.. policy.Parameters.Gradients!.data<float>()]);
    }

    /// <summary>The norm of the difference, relative to the norm.</summary>
    private static void AssertClose(float[] expected, float[] actual, double relative)
    {
        var norm = Math.Sqrt(expected.Sum(e => (double)e * e));
        Assert.True(norm > 1e-3, "no gradient to compare");
        Assert.InRange(Math.Sqrt(expected.Zip(actual, (e, a) => Math.Pow((double)e - a, 2)).Sum()) / norm, 0, relative);
    }

    [Theory]
    [InlineData("qwen3", 0.0)] // on policy
    [InlineData("qwen3", 0.3)] // behind: some ratios are clipped
    [InlineData("qwen3", 0.3, 50)] // logits two rows at a time
    [InlineData("llama", 0.3)]
    [InlineData("llama", 0.3, 1)] // a head of its own, row by row
    [InlineData("nemotron", 0.3)]
    [InlineData("nemotron", 0.3, 50)]
    public void Gradient_and_loss_equal_the_equations_written_out(string architecture, double staleness, int logitsAtOnce = 1 << 22)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        var groups = Groups(policy, staleness: staleness);
        var (loss, expected) = Plain(policy, groups, Stage().Rlp!);

        using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage(), logitsAtOnce: logitsAtOnce);
        var applied = learner.ApplyRlp(1, groups);

        AssertClose(expected, [.. policy.Parameters.Gradients!.data<float>()], 1e-6);
        Assert.Equal(loss, applied.Loss, 1e-5);
        Assert.Equal(staleness > 0, applied.Metrics["clip_ratio/region_mean"] > 0);
        // The behaviour log-probabilities were shifted by the same number in every token of a thought.
        var shifts = groups.SelectMany(g => g.Sampled.Thoughts.SelectMany((t, i) => t.Tokens.Select(_ => Math.Abs(staleness * (i - 1.5))))).ToArray();
        Assert.Equal(shifts.Average(), applied.Metrics["sampling/sampling_logp_difference/mean"], 1e-5);
        Assert.Equal(shifts.Max(), applied.Metrics["sampling/sampling_logp_difference/max"], 1e-5);
    }

    [Fact]
    public void Perturbing_the_teacher_leaves_the_gradient_bit_for_bit()
    {
        using var policy = new TinyPolicy();
        using var other = new TinyPolicy();
        // Powers of two, so that subtracting them from S_pred and averaging rounds nothing away: what is left is exactly the same advantage.
        var gradient = Gradient(policy, Groups(policy, teacherEvidence: -2), Stage());
        var perturbed = Gradient(other, Groups(other, teacherEvidence: -64), Stage());

        Assert.Equal(gradient, perturbed);
        Assert.Equal(policy.Parameters.Sha256(), other.Parameters.Sha256());
    }

    [Fact]
    public void Micro_batches_add_up_to_the_whole_batch()
    {
        using var policy = new TinyPolicy();
        using var other = new TinyPolicy();
        AssertClose(Gradient(policy, Groups(policy), Stage()), Gradient(other, Groups(other), Stage(microBatchTokens: 25)), 1e-6);
    }

    [Fact]
    public void Micro_batches_are_of_like_length_whatever_the_order_of_the_batch()
    {
        Assert.Equal([2, 0, 4, 1, 3], TokenBatch.LongestFirst([[1, 1], [1], [1, 1, 1], [1], [1, 1]]));

        string[] texts = ["1+2=3\n", "1+2+3+4+5+6=1\n", "4-3=1\n", "9-8-7-6-5-4=9\n", "2+2=4\n", "3+3+3+3+3+3=8\n"];
        float[] Apply(params int[] order)
        {
            using var policy = new TinyPolicy();
            using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage(microBatchTokens: 42) with { Kind = StageKind.Ntp, Rlp = null });
            learner.ApplyNtp(1, [.. order.Select(i => policy.Tokenizer.Encode(texts[i]))]);
            return [.. policy.Parameters.Gradients!.data<float>()];
        }

        Assert.Equal(Apply(1, 3, 5, 0, 2, 4), Apply(0, 1, 2, 3, 4, 5)); // to the bit: the same three long and the same three short ones
    }

    [Fact]
    public void Chunks_of_the_vocabulary_change_neither_gradient_nor_metrics()
    {
        AppliedStep Apply(TinyPolicy policy, IDecoder reference, int logitsAtOnce)
        {
            using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage(beta: 0.5), reference, logitsAtOnce);
            return learner.ApplyRlp(1, Groups(policy, staleness: 0.3));
        }

        using var policy = new TinyPolicy();
        using var other = new TinyPolicy();
        using var reference = new TinyPolicy(seed: 9, trainable: false);
        var whole = Apply(policy, reference.Decoder, 1 << 22);
        var chunked = Apply(other, reference.Decoder, 50);

        AssertClose([.. policy.Parameters.Gradients!.data<float>()], [.. other.Parameters.Gradients!.data<float>()], 1e-6);
        Assert.All(whole.Metrics, metric => Assert.Equal(metric.Value, chunked.Metrics[metric.Key], 1e-6 * Math.Max(1, Math.Abs(metric.Value))));
        Assert.All(new[] { "kl", "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean" }, name => Assert.True(whole.Metrics[name] > 0.01, name));
    }

    [Fact]
    public void The_entropy_is_that_of_the_sampling_distribution_weighted_as_the_loss_is()
    {
        using var policy = new TinyPolicy();
        var groups = Groups(policy);
        var settings = Stage().Rlp!;
        using var masks = new SamplingMasks(policy.Tokenizer, policy.Tokenizer.VocabularySize);
        double expected = 0;
        foreach (var (group, thought) in groups.SelectMany(g => g.Sampled.Thoughts.Select(t => (g, t))))
        {
            long[] sequence =
                [.. group.Sampled.Position.Prefix.Select(t => (long)t), policy.Tokenizer.BeginThought, .. thought.Tokens.Select(t => (long)t)];
            var logits = policy.Decoder.Logits(policy.Decoder.Hidden(tensor(sequence).unsqueeze(0)))[0].detach(); // [T, V]
            for (var u = 0; u < thought.Tokens.Length; u++)
            {
                var scores = (logits[sequence.Length - thought.Tokens.Length + u - 1] / settings.Temperature)
                    + masks.Row(SamplingMasks.RowAt(u, settings.Sampling.MinThoughtTokens, settings.MaxThoughtTokens));
                double[] p = [.. nn.functional.softmax(scores.to(float64), -1).data<double>()];
                expected -= p.Where(x => x > 0).Sum(x => x * Math.Log(x)) / thought.Tokens.Length / 12;
            }
        }
        using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage());
        Assert.Equal(expected, learner.ApplyRlp(1, groups).Metrics["entropy"], 1e-5);
    }

    [Theory]
    [MemberData(nameof(TinyPolicy.Architectures), MemberType = typeof(TinyPolicy))]
    public void Behaviour_and_learner_give_the_same_log_probabilities_so_that_on_policy_ratios_are_one(string architecture)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        var groups = Groups(policy);
        using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage() with { Rlp = Stage().Rlp! with { EpsilonLow = 1e-5, EpsilonHigh = 1e-5 } });

        Assert.Equal(0, learner.ApplyRlp(1, groups).Metrics["clip_ratio/region_mean"]);
    }

    [Fact]
    public void The_next_token_itself_carries_no_gradient()
    {
        using var policy = new TinyPolicy();
        using var other = new TinyPolicy();
        var groups = Groups(policy);
        // The same thoughts and rewards with another observed token: only its evidence would have changed, and that is a constant.
        var changed = groups.Select(g => g with { Sampled = g.Sampled with { Position = g.Sampled.Position with { NextToken = (g.Sampled.Position.NextToken + 5) % 10 } } }).ToList();

        Assert.Equal(Gradient(policy, groups, Stage()), Gradient(other, changed, Stage()));
    }

    [Fact]
    public void A_group_of_equal_rewards_teaches_nothing()
    {
        using var policy = new TinyPolicy();
        var groups = Groups(policy).Select(g => g with { Sampled = g.Sampled with { Thoughts = [.. g.Sampled.Thoughts.Select(t => t with { PredictedEvidence = -1 })] } }).ToList();

        Assert.All(Gradient(policy, groups, Stage()), g => Assert.Equal(0f, g));
    }

    [Fact]
    public void The_penalty_is_zero_at_the_reference_and_pulls_back_to_it_elsewhere()
    {
        using var policy = new TinyPolicy();
        using var reference = new TinyPolicy(seed: 9, trainable: false);
        using var atReference = new Learner(policy.Decoder, policy.Tokenizer, Stage(beta: 0.5), policy.Decoder);
        Assert.Equal(0, atReference.ApplyRlp(1, Groups(policy)).Metrics["kl"], 1e-9);

        using var away = new Learner(policy.Decoder, policy.Tokenizer, Stage(beta: 0.5), reference.Decoder);
        // The same thoughts again and again without advantages: only the penalty moves the policy.
        var groups = Groups(policy).Select(g => g with { Sampled = g.Sampled with { Thoughts = [.. g.Sampled.Thoughts.Select(t => t with { PredictedEvidence = -1 })] } }).ToList();
        var first = away.ApplyRlp(1, groups).Metrics["kl"];
        double last = 0;
        for (var step = 2; step <= 20; step++) last = away.ApplyRlp(step, groups).Metrics["kl"];
        Assert.True(first > 0.01 && last < first * 0.8, $"{first} to {last}");
    }

    [Theory]
    [MemberData(nameof(TinyPolicy.Architectures), MemberType = typeof(TinyPolicy))]
    public void The_next_token_gradient_is_that_of_the_mean_cross_entropy_however_it_is_divided(string architecture)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        var documents = Enumerable.Range(0, 9).Select(i => policy.Tokenizer.Encode($"{i}+{new string('2', i + 1)}-4={i}\n")).ToList();
        policy.Parameters.ZeroGradients();
        foreach (var document in documents)
        {
            var ids = document.Select(t => (long)t).ToArray();
            var logits = policy.Decoder.Logits(policy.Decoder.Hidden(tensor(ids[..^1]).unsqueeze(0)))[0]; // [T - 1, V]
            (nn.functional.cross_entropy(logits, tensor(ids[1..]), reduction: nn.Reduction.Sum) / documents.Sum(d => d.Length - 1)).backward();
        }
        float[] expected = [.. policy.Parameters.Gradients!.data<float>()];

        foreach (var (microBatchTokens, logitsAtOnce) in new[] { (16_384, 1 << 22), (16_384, 60), (30, 1 << 22), (1, 1) })
        {
            using var divided = new TinyPolicy(architecture: architecture);
            var stage = Stage(microBatchTokens) with { Kind = StageKind.Ntp, Rlp = null };
            using var learner = new Learner(divided.Decoder, divided.Tokenizer, stage, logitsAtOnce: logitsAtOnce);
            learner.ApplyNtp(1, documents);
            AssertClose(expected, [.. divided.Parameters.Gradients!.data<float>()], 1e-6);
        }
    }

    [Fact]
    public void Next_token_loss_is_the_mean_over_all_real_targets()
    {
        using var policy = new TinyPolicy();
        int[][] documents = [policy.Tokenizer.Encode("1+2=3\n"), policy.Tokenizer.Encode("9-4+4=<think>59</think>9\n")];
        double expected = 0;
        foreach (var document in documents)
        {
            var logits = policy.Decoder.Logits(policy.Decoder.Hidden(tensor(document.Select(t => (long)t).ToArray()).unsqueeze(0)))[0].detach();
            for (var t = 1; t < document.Length; t++)
            {
                var row = logits[t - 1].data<float>().ToArray();
                expected -= (row[document[t]] - Math.Log(row.Sum(l => Math.Exp(l)))) / (documents.Sum(d => d.Length) - 2);
            }
        }

        using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage() with { Kind = StageKind.Ntp, Rlp = null });
        var applied = learner.ApplyNtp(1, documents);

        Assert.Equal(expected, applied.Loss, 1e-5);
        Assert.Equal(documents.Sum(d => d.Length), applied.InputTokens);
    }

    [Fact]
    public void A_gradient_that_is_not_finite_stops_the_step_before_it_touches_the_weights()
    {
        using var policy = new TinyPolicy();
        using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage());
        var groups = Groups(policy).Select(g => g with { TeacherEvidence = double.NaN }).ToList();
        var before = policy.Parameters.Sha256();

        Assert.Contains("step 1", Assert.Throws<TrainingDivergedException>(() => learner.ApplyRlp(1, groups)).Message);
        Assert.Equal(before, policy.Parameters.Sha256());
    }
}
