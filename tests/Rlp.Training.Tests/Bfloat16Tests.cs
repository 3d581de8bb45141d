using Rlp.Corpora;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

/// <summary>What computing in bfloat16 over float32 weights may cost.</summary>
public sealed class Bfloat16Tests
{
    private static StageSettings Stage(StageKind kind, double learningRate, int microBatchTokens = 16_384) => new()
    {
        Id = "s",
        Kind = kind,
        Steps = 1000,
        BatchSize = 16,
        Data = [],
        MicroBatchTokens = microBatchTokens,
        Optimizer = new OptimizerSettings { LearningRate = learningRate, MaxGradNorm = 0 },
        Rlp = kind == StageKind.Rlp ? new RlpSettings { GroupSize = 4, Temperature = 0.7, MaxThoughtTokens = 6 } : null,
    };

    private static IReadOnlyList<int[]> Documents(TinyPolicy policy, int count, int first = 0)
    {
        var corpus = new ArithmeticCorpus("plain", terms: 3, seed: 1);
        return [.. Enumerable.Range(first, count).Select(i => policy.Tokenizer.Encode(corpus.Read(i).Text))];
    }

    private static float[] Gradient(TinyPolicy policy, StageKind kind, int microBatchTokens, IReadOnlyList<ScoredGroup> groups)
    {
        using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage(kind, 1e-3, microBatchTokens));
        if (kind == StageKind.Rlp) learner.ApplyRlp(1, groups);
        else learner.ApplyNtp(1, Documents(policy, 16));
        return [.. policy.Parameters.Gradients!.data<float>()];
    }

    private static IReadOnlyList<ScoredGroup> Groups()
    {
        using var behaviour = new TinyPolicy(range: 0.1, trainable: false); // one set of thoughts for both
        using var sampler = new ThoughtSampler(behaviour.Decoder, behaviour.Tokenizer, seed: 4, new SamplingSettings { Temperature = 0.7, MaxThoughtTokens = 6 });
        return [.. sampler.Sample(1, behaviour.Positions("1+2=", "3+4-5=", "9="), 4).Select(g => new ScoredGroup(g, -2))];
    }

    private static double Distance(float[] a, float[] b) => Math.Sqrt(a.Zip(b, (x, y) => Math.Pow((double)x - y, 2)).Sum());

    private static double Norm(float[] a) => Distance(a, new float[a.Length]);

    /// <summary>Eight bits per number leave 2^-9 per rounding; over the layers that adds up to a few of them.</summary>
    [Theory]
    [InlineData("qwen3", StageKind.Ntp, 16_384, 0.02)]
    [InlineData("qwen3", StageKind.Rlp, 16_384, 0.02)]
    [InlineData("qwen3", StageKind.Ntp, 10, 0.02)] // one document at a time: as many gradients as documents are added up
    [InlineData("llama", StageKind.Rlp, 16_384, 0.02)]
    [InlineData("nemotron", StageKind.Rlp, 16_384, 0.03)] // four layers
    public void The_gradient_stays_near_that_of_float32(string architecture, StageKind kind, int microBatchTokens, double bound)
    {
        using var full = new TinyPolicy(range: 0.1, architecture: architecture);
        using var half = new TinyPolicy(range: 0.1, architecture: architecture, dtype: ScalarType.BFloat16);
        Assert.Equal(full.Parameters.Sha256(), half.Parameters.Sha256());
        var groups = Groups();
        var expected = Gradient(full, kind, microBatchTokens, groups);
        var distance = Distance(expected, Gradient(half, kind, microBatchTokens, groups)) / Norm(expected);

        Assert.InRange(distance, 1e-5, bound); // not equal: it was computed in bfloat16
    }

    [Fact]
    public void Pretraining_in_bfloat16_reaches_nearly_the_loss_of_float32()
    {
        double Loss(ScalarType dtype)
        {
            using var policy = new TinyPolicy(range: 0.1, dtype: dtype);
            using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage(StageKind.Ntp, 1e-2));
            double start = 0, last = 0;
            for (var step = 1; step <= 60; step++)
            {
                var loss = learner.ApplyNtp(step, Documents(policy, 16, step * 16)).Loss;
                if (step <= 10) start += loss / 10;
                if (step > 50) last += loss / 10;
            }
            Assert.True(last < 0.8 * start, $"{dtype}: {start} to {last}");
            return last;
        }

        var full = Loss(ScalarType.Float32);
        Assert.Equal(full, Loss(ScalarType.BFloat16), 0.01 * full);
    }

    [Fact]
    public void Small_updates_that_bfloat16_would_round_away_add_up_in_the_float32_weights()
    {
        double Gained(bool masters)
        {
            using var policy = new TinyPolicy(range: 0.3, dtype: ScalarType.BFloat16);
            using var learner = new Learner(policy.Decoder, policy.Tokenizer, Stage(StageKind.Ntp, 2e-5));
            var documents = Documents(policy, 16);
            double first = 0, last = 0;
            for (var step = 1; step <= 200; step++)
            {
                last = learner.ApplyNtp(step, documents).Loss;
                if (step == 1) first = last;
                if (!masters)
                    using (no_grad()) policy.Parameters.Master.copy_(policy.Parameters.Values);
            }
            return first - last;
        }

        var gained = Gained(masters: true);
        var lost = Gained(masters: false);
        Assert.True(gained > 0.02 && Math.Abs(lost) < gained / 10, $"{gained} with float32 weights, {lost} without");
    }
}
