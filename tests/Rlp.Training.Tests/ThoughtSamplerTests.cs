using Rlp.Training.Engines;
using Rlp.Training.Sampling;

namespace Rlp.Training.Tests;

public sealed class ThoughtSamplerTests
{
    private readonly TinyPolicy policy = new();

    [Fact]
    public void Thoughts_are_never_empty_hold_no_padding_or_begin_marker_and_end_with_the_end_marker()
    {
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 1, new SamplingSettings { Temperature = 2.0, MaxThoughtTokens = 5 });
        var thoughts = sampler.Sample(1, policy.Positions("1+2=", "7-3="), 200).SelectMany(g => g.Thoughts).ToList();

        Assert.All(thoughts, t =>
        {
            Assert.InRange(t.Tokens.Length, 2, 5);
            Assert.Equal(policy.Tokenizer.EndThought, t.Tokens[^1]);
            Assert.DoesNotContain(policy.Tokenizer.Padding, t.Tokens);
            Assert.DoesNotContain(policy.Tokenizer.BeginThought, t.Tokens);
            Assert.DoesNotContain(policy.Tokenizer.EndThought, t.Tokens[..^1]);
        });
        Assert.True(thoughts.Select(t => t.Tokens.Length).Distinct().Count() == 4, "every length from 2 to 5 should occur in 400 thoughts");
    }

    [Fact]
    public void A_thought_cut_at_the_limit_is_closed_without_choice_and_counted()
    {
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 1, new SamplingSettings { Temperature = 2.0, MaxThoughtTokens = 4 });
        var thoughts = sampler.Sample(1, policy.Positions("1+2="), 200)[0].Thoughts;

        Assert.Contains(thoughts, t => t.Clipped);
        Assert.Contains(thoughts, t => !t.Clipped);
        Assert.All(thoughts, t => Assert.Equal(t.Tokens.Length == 4, t.Clipped));
        Assert.All(thoughts.Where(t => t.Clipped), t => Assert.Equal(0f, t.LogProbabilities[^1])); // the forced token had probability one
        Assert.All(thoughts.Where(t => !t.Clipped), t => Assert.True(t.LogProbabilities[^1] < 0));
    }

    [Theory]
    [MemberData(nameof(TinyPolicy.Architectures), MemberType = typeof(TinyPolicy))]
    public void A_thought_depends_on_its_group_and_member_but_not_on_the_company_it_is_sampled_in(string architecture)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 5, new SamplingSettings { Temperature = 1.0, MaxThoughtTokens = 6 });
        var positions = policy.Positions("1+2=", "3+4-5=", "9=");
        var together = sampler.Sample(7, positions, 6);
        var fewer = sampler.Sample(7, positions, 3);

        for (var g = 0; g < 3; g++)
        {
            var alone = sampler.Sample(7, [positions[g]], 6)[0];
            for (var i = 0; i < 6; i++)
            {
                Assert.Equal(together[g].Thoughts[i].Tokens, alone.Thoughts[i].Tokens);
                if (i < 3) Assert.Equal(together[g].Thoughts[i].Tokens, fewer[g].Thoughts[i].Tokens);
            }
        }
        Assert.NotEqual(sampler.Sample(8, positions, 6).Select(g => g.ThoughtsSha256()), together.Select(g => g.ThoughtsSha256()));
        Assert.Equal(sampler.Sample(7, positions, 6).Select(g => g.ThoughtsSha256()), together.Select(g => g.ThoughtsSha256()));
    }

    [Theory]
    [MemberData(nameof(TinyPolicy.Architectures), MemberType = typeof(TinyPolicy))]
    public void Evidence_from_the_state_agrees_with_a_full_teacher_forced_pass(string architecture)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 2, new SamplingSettings { Temperature = 1.0, MaxThoughtTokens = 6 });
        var groups = sampler.Sample(1, policy.Positions("1+2=", "3+4-5=", "9="), 8);

        var full = new EvidenceScorer(policy.Decoder, policy.Tokenizer, 64).WithThought(groups);

        var cached = groups.SelectMany(g => g.Thoughts.Select(t => t.PredictedEvidence)).ToArray();
        for (var i = 0; i < full.Length; i++) Assert.Equal(full[i], cached[i], 1e-5);
        Assert.True(cached.Distinct().Count() > 10, "the thoughts should matter");
    }

    [Fact]
    public void First_tokens_come_as_often_as_the_masked_tempered_softmax_says()
    {
        const int samples = 8000;
        const double temperature = 0.8;
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 3, new SamplingSettings { Temperature = temperature, MaxThoughtTokens = 3 });
        var position = policy.Positions("4-4=")[0];
        var counts = sampler.Sample(1, [position], samples)[0].Thoughts.CountBy(t => t.Tokens[0]).ToDictionary();

        var probabilities = FirstProbabilities(position, temperature);
        var chiSquare = 0.0;
        for (var v = 0; v < probabilities.Length; v++)
        {
            var expected = samples * probabilities[v];
            if (expected > 0) chiSquare += Math.Pow(counts.GetValueOrDefault(v) - expected, 2) / expected;
        }
        Assert.True(chiSquare < 40, $"chi-square {chiSquare:F1} with 13 degrees of freedom"); // above 40: one in 10,000
    }

    [Fact]
    public void No_thought_is_shorter_than_the_minimum()
    {
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 1,
            new SamplingSettings { Temperature = 2.0, MinThoughtTokens = 4, MaxThoughtTokens = 6 });
        var lengths = sampler.Sample(1, policy.Positions("1+2="), 300)[0].Thoughts.CountBy(t => t.Tokens.Length).ToDictionary();

        Assert.Equal([4, 5, 6], lengths.Keys.Order());
    }

    [Theory]
    [InlineData(3, 1.0, 0.0)]
    [InlineData(0, 0.6, 0.0)]
    [InlineData(0, 1.0, 0.3)]
    [InlineData(5, 0.8, 0.1)]
    public void Truncated_first_tokens_come_as_often_as_the_truncated_distribution_says(int topK, double topP, double minP)
    {
        const int samples = 8000;
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 3,
            new SamplingSettings { Temperature = 0.8, MaxThoughtTokens = 3, TopK = topK, TopP = topP, MinP = minP });
        var position = policy.Positions("4-4=")[0];
        var thoughts = sampler.Sample(1, [position], samples)[0].Thoughts;
        var counts = thoughts.CountBy(t => t.Tokens[0]).ToDictionary();

        // Top-k, then top-p of what is left, then min-p, in plain arithmetic.
        var all = FirstProbabilities(position, 0.8);
        var kept = all.Select((p, v) => (p, v)).Where(t => t.p > 0).OrderByDescending(t => t.p).ToList();
        if (topK > 0) kept = [.. kept.Take(topK)];
        var mass = kept.Sum(t => t.p);
        kept = [.. kept.TakeWhile((_, i) => kept.Take(i).Sum(t => t.p) < topP * mass)];
        kept = [.. kept.Where(t => t.p >= minP * kept[0].p)];
        Assert.InRange(kept.Count, 2, all.Count(p => p > 0) - 1);
        var chiSquare = kept.Sum(t => Math.Pow(counts.GetValueOrDefault(t.v) - (samples * t.p / kept.Sum(k => k.p)), 2) / (samples * t.p / kept.Sum(k => k.p)));
        Assert.True(chiSquare < 36, $"chi-square {chiSquare:F1} with {kept.Count - 1} degrees of freedom"); // above 36: less than one in 10,000
        Assert.All(counts.Keys, v => Assert.Contains(kept, t => t.v == v));
        // The behaviour's log-probabilities are those before truncation, as the learner computes them.
        Assert.All(thoughts, t => Assert.Equal(Math.Log(all[t.Tokens[0]]), t.LogProbabilities[0], 1e-4));
    }

    [Theory]
    [MemberData(nameof(TinyPolicy.Architectures), MemberType = typeof(TinyPolicy))]
    public void Decoding_on_an_accelerator_gives_the_same_thoughts_as_decoding_on_the_host(string architecture)
    {
        using var policy = new TinyPolicy(architecture: architecture);
        foreach (var settings in new[]
                 {
                     new SamplingSettings { Temperature = 1.5, MaxThoughtTokens = 40 },
                     new SamplingSettings { Temperature = 1.5, MinThoughtTokens = 7, MaxThoughtTokens = 40, TopK = 9, TopP = 0.9, MinP = 0.02 },
                 })
        {
            var positions = policy.Positions("1+2=", "3+4-5=", "9=", "7-");
            using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 2, settings);
            var host = sampler.Sample(1, positions, 16);
            using var byTensors = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 2, settings) { LogitsOnHost = false };
            var device = byTensors.Sample(1, positions, 16);

            Assert.True(host.Max(g => g.Thoughts.Max(t => t.Tokens.Length)) > 17, "some thoughts should outlive the first look at the finished ones");
            foreach (var (expected, actual) in host.SelectMany(g => g.Thoughts).Zip(device.SelectMany(g => g.Thoughts)))
            {
                Assert.Equal(expected.Tokens, actual.Tokens);
                Assert.Equal(expected.PredictedEvidence, actual.PredictedEvidence, 1e-5);
                Assert.All(expected.LogProbabilities.Zip(actual.LogProbabilities), p => Assert.Equal(p.First, p.Second, 1e-4f));
            }
        }
    }

    [Theory]
    [InlineData(0.0, 1)] // the first token with probability, not the forbidden one before it
    [InlineData(0.2499, 1)]
    [InlineData(0.2501, 3)]
    [InlineData(0.99999999999, 3)]
    public void Drawing_inverts_the_distribution_and_never_gives_a_token_of_probability_zero(double noise, long expected)
    {
        var logProbabilities = TorchSharp.torch.tensor(new[,] { { double.NegativeInfinity, Math.Log(0.25), double.NegativeInfinity, Math.Log(0.75), double.NegativeInfinity } });
        Assert.Equal(expected, DeviceDecoding.Draw(logProbabilities, TorchSharp.torch.tensor(new[] { noise })).item<long>());
    }

    /// <summary>The distribution of a thought's first token once more, from logits and plain arithmetic.</summary>
    private double[] FirstProbabilities(GroupPosition position, double temperature)
    {
        using var noGradient = TorchSharp.torch.no_grad();
        var tokens = TorchSharp.torch.tensor(position.Prefix.Append(policy.Tokenizer.BeginThought).Select(t => (long)t).ToArray()).unsqueeze(0);
        var hidden = policy.Decoder.Hidden(tokens);
        var logits = policy.Decoder.Logits(hidden.select(1, hidden.shape[1] - 1)).data<float>().ToArray();
        int[] forbidden = [policy.Tokenizer.Padding, policy.Tokenizer.BeginThought, policy.Tokenizer.EndThought];
        var weights = logits.Select((l, v) => forbidden.Contains(v) ? 0 : Math.Exp(l / temperature)).ToArray();
        return [.. weights.Select(w => w / weights.Sum())];
    }
}
