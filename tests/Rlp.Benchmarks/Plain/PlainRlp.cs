using Rlp.Models;
using Rlp.Training.Engines;
using Rlp.Training.Measurement;
using static TorchSharp.torch;

namespace Rlp.Benchmarks.Plain;

/// <summary>
/// Algorithm 1 as one would write it first: a cache for each thought, a pass of its own for S_pred, every thought trained with its whole prefix,
/// padded batches, an optimizer that goes from tensor to tensor. Thoughts have one length, prefixes too, and the end marker is forced.
/// </summary>
internal sealed class PlainRlp : IDisposable
{
    private const int MicroBatchTokens = 16_384; // as the recipes' default

    private readonly Qwen3Config config;
    private readonly BareVocabulary tokenizer;
    private readonly double temperature;
    private readonly PlainQwen3 policy;
    private readonly PlainQwen3 teacher;
    private readonly optim.Optimizer optimizer;
    private readonly Tensor allowed; // [V], additive

    public PlainRlp(BenchmarkModel model, double temperature)
    {
        (config, tokenizer, this.temperature) = (model.Config, model.Tokenizer, temperature);
        policy = new PlainQwen3(config, model.Parameters, trainable: true);
        teacher = new PlainQwen3(config, model.Parameters, trainable: false);
        optimizer = optim.AdamW(policy.Weights.Values, lr: 1e-6, beta1: 0.9, beta2: 0.95, weight_decay: 0);
        float[] mask = [.. Enumerable.Range(0, config.VocabularySize).Select(id => id < tokenizer.Padding ? 0f : float.NegativeInfinity)];
        allowed = tensor(mask).DetachFromDisposeScope();
    }

    /// <summary>One whole step; the number of thought tokens.</summary>
    public int Step(GroupPosition[] positions, int groupSize, int thoughtTokens)
    {
        var groups = Sample(positions, groupSize, thoughtTokens);
        var predicted = PredictedEvidence(groups);
        var evidence = Score(teacher, [.. positions.Select(p => (p.Prefix, p.NextToken))]);
        var scored = groups.Select((group, i) =>
        {
            SampledThought[] thoughts = [.. group.Thoughts.Select((t, member) => t with { PredictedEvidence = predicted[(i * groupSize) + member] })];
            return new ScoredGroup(group with { Thoughts = thoughts }, evidence[i]);
        });
        Learn([.. scored]);
        UpdateTeacher();
        return positions.Length * groupSize * thoughtTokens;
    }

    /// <summary>Steps 8 to 10 of Algorithm 1.</summary>
    public void Learn(IReadOnlyList<ScoredGroup> groups)
    {
        Gradient(groups);
        optimizer.step();
    }

    /// <summary>The gradient of the loss (eq. 8) by the names of the weights, valid until the next call.</summary>
    public IReadOnlyDictionary<string, Tensor> Gradient(IReadOnlyList<ScoredGroup> groups)
    {
        optimizer.zero_grad();
        var rows = Rows(groups);
        var advantages = groups.SelectMany(Advantages).ToArray();
        var perPass = Math.Max(1, MicroBatchTokens / rows[0].Context.Length);
        for (var start = 0; start < rows.Length; start += perPass)
        {
            using var scope = NewDisposeScope();
            var part = rows.Skip(start).Take(perPass).ToArray();
            var logProbabilities = LogProbabilities(part); // [b, tokens]
            var behaviour = stack(part.Select(r => tensor(r.Thought.LogProbabilities)));
            var advantage = tensor(advantages.Skip(start).Take(part.Length).Select(a => (float)a).ToArray()).unsqueeze(1); // [b, 1]
            var ratio = (logProbabilities - behaviour).exp();
            var objective = minimum(ratio * advantage, ratio.clamp(1 - 0.2, 1 + 0.28) * advantage);
            (-objective.mean([1]).sum() / rows.Length).backward();
        }
        return policy.Weights.ToDictionary(w => w.Key, w => w.Value.grad ?? throw new InvalidOperationException($"{w.Key} has no gradient"));
    }

    /// <summary>The policy's log-probability of every thought token, thoughts in order.</summary>
    public float[][] LogProbabilities(IReadOnlyList<ScoredGroup> groups)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var all = LogProbabilities(Rows(groups)).cpu();
        return [.. Enumerable.Range(0, (int)all.shape[0]).Select(row => all[row].data<float>().ToArray())];
    }

    /// <summary>S_pred of every thought: log p(next token | prefix, thought).</summary>
    public double[] PredictedEvidence(IReadOnlyList<SampledGroup> groups) =>
        Score(policy, [.. groups.SelectMany(g => g.Thoughts.Select(t => (Context(g.Position, t), g.Position.NextToken)))]);

    private (int[] Context, SampledThought Thought)[] Rows(IReadOnlyList<ScoredGroup> groups) =>
        [.. groups.SelectMany(g => g.Sampled.Thoughts.Select(t => (Context(g.Sampled.Position, t), t)))];

    private Tensor LogProbabilities((int[] Context, SampledThought Thought)[] rows)
    {
        var sampled = rows[0].Thought.Tokens.Length - 1; // all but the end marker, which is forced: its log-probability is 0
        var hidden = policy.Hidden(Ids(rows.Select(r => r.Context))); // [b, T, H]
        var logits = policy.Logits(hidden.narrow(1, hidden.shape[1] - sampled - 2, sampled)); // [b, sampled, V]: those that predict the thought
        var tokens = Ids(rows.Select(r => r.Thought.Tokens[..sampled]));
        var logProbabilities = nn.functional.log_softmax((logits / temperature) + allowed, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1);
        return cat([logProbabilities, zeros(rows.Length, 1)], 1);
    }

    private SampledGroup[] Sample(GroupPosition[] positions, int groupSize, int thoughtTokens)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        using var prefixCache = new PlainCache(config.Layers);
        var hidden = policy.Hidden(Ids(positions.Select(p => (int[])[.. p.Prefix, tokenizer.BeginThought])), prefixCache);
        var logits = policy.Logits(hidden.select(1, hidden.shape[1] - 1)).repeat_interleave(groupSize, 0); // [N, V]
        using var cache = prefixCache.Repeat(groupSize);
        List<Tensor> tokens = [], logProbabilities = [];
        for (var index = 0; index < thoughtTokens - 1; index++)
        {
            using var inner = NewDisposeScope();
            var distribution = nn.functional.log_softmax((logits / temperature) + allowed, -1);
            var drawn = multinomial(distribution.exp(), 1); // [N, 1]
            tokens.Add(drawn.squeeze(-1).MoveToOuterDisposeScope());
            logProbabilities.Add(distribution.gather(-1, drawn).squeeze(-1).MoveToOuterDisposeScope());
            logits = policy.Logits(policy.Hidden(drawn, cache).squeeze(1)).MoveToOuterDisposeScope();
        }
        tokens.Add(full_like(tokens[0], tokenizer.EndThought));
        logProbabilities.Add(zeros_like(logProbabilities[0]));
        Tensor allTokens = stack(tokens, 1), allLogProbabilities = stack(logProbabilities, 1); // [N, tokens]
        return
        [
            .. positions.Select((position, group) => new SampledGroup(position,
            [
                .. Enumerable.Range(group * groupSize, groupSize).Select(row => new SampledThought(
                    [.. allTokens[row].data<long>().Select(t => (int)t)], [.. allLogProbabilities[row].data<float>()], Clipped: true, 0))
            ]))
        ];
    }

    private double[] Score(PlainQwen3 scorer, (int[] Context, int NextToken)[] rows)
    {
        using var noGradient = no_grad();
        var scores = new List<double>();
        var perPass = Math.Max(1, MicroBatchTokens / rows[0].Context.Length);
        for (var start = 0; start < rows.Length; start += perPass)
        {
            using var scope = NewDisposeScope();
            var part = rows.Skip(start).Take(perPass).ToArray();
            var hidden = scorer.Hidden(Ids(part.Select(r => r.Context)));
            var distribution = nn.functional.log_softmax(scorer.Logits(hidden.select(1, hidden.shape[1] - 1)), -1); // [b, V]
            scores.AddRange(part.Select((row, i) => (double)distribution[i, row.NextToken].item<float>()));
        }
        return [.. scores];
    }

    private void UpdateTeacher()
    {
        using var noGradient = no_grad();
        foreach (var (name, weight) in teacher.Weights) weight.mul_(0.999).add_(policy.Weights[name], 0.001);
    }

    /// <summary>A = G/(G-1) (r - mean r).</summary>
    private static double[] Advantages(ScoredGroup group)
    {
        var rewards = group.Rewards();
        var mean = rewards.Average();
        return [.. rewards.Select(r => rewards.Length / (rewards.Length - 1.0) * (r - mean))];
    }

    private int[] Context(GroupPosition position, SampledThought thought) => [.. position.Prefix, tokenizer.BeginThought, .. thought.Tokens];

    private static Tensor Ids(IEnumerable<int[]> rows)
    {
        var all = rows.ToArray();
        return tensor(all.SelectMany(r => r.Select(t => (long)t)).ToArray(), [all.Length, all[0].Length]);
    }

    public void Dispose()
    {
        optimizer.Dispose();
        policy.Dispose();
        teacher.Dispose();
        allowed.Dispose();
    }
}
