using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Objective;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// One optimizer step on the policy. Long batches are split into micro-batches whose gradients add up; logits are computed only for the tokens
/// that the loss needs.
/// </summary>
public sealed class Learner : IDisposable
{
    private readonly IDecoder policy;
    private readonly ITokenizer tokenizer;
    private readonly StageSettings stage;
    private readonly SamplingMasks masks;
    private readonly IDecoder? reference;

    /// <param name="reference">The fixed pi_ref of the KL penalty; needed when and only when beta is above zero.</param>
    public Learner(IDecoder policy, ITokenizer tokenizer, StageSettings stage, IDecoder? reference = null)
    {
        (this.policy, this.tokenizer, this.stage, this.reference) = (policy, tokenizer, stage, reference);
        if (stage.Rlp is { Beta: > 0 } && reference is null) throw new ArgumentException("a KL penalty (beta > 0) needs a reference policy", nameof(reference));
        Optimizer = new AdamW(policy.Parameters, stage.Optimizer, stage.Steps);
        masks = new SamplingMasks(tokenizer, policy.Config.VocabularySize, policy.Parameters.Values.device);
    }

    public AdamW Optimizer { get; }

    /// <summary>Steps 8 to 10 of Algorithm 1: advantages, clipped surrogate on the thought tokens, one optimizer step.</summary>
    /// <exception cref="TrainingDivergedException">Loss or gradient is not finite.</exception>
    public AppliedStep ApplyRlp(long step, IReadOnlyList<ScoredGroup> groups)
    {
        var settings = stage.Rlp ?? throw new InvalidOperationException($"stage '{stage.Id}' is no RLP stage");
        using var scope = NewDisposeScope();
        policy.Parameters.ZeroGradients();

        // 8. A = G/(G-1) (r - mean r), the same for every token of a thought.
        SampledThought[] thoughts = [.. groups.SelectMany(g => g.Sampled.Thoughts)];
        var rewards = Rewards(groups); // [B, G]
        float[] advantages = [.. Advantages.LeaveOneOut(rewards).flatten().data<double>().Select(a => (float)a)];
        var weights = ThoughtWeights.PerToken([.. thoughts.Select(t => t.Tokens.Length)]);

        // 9. loss = sum of w * -min(rho A, clip(rho) A) over the thought tokens, micro-batch by micro-batch.
        int[][] sequences = [.. groups.SelectMany(g => g.Sampled.Thoughts.Select(t => (int[])[.. g.Sampled.Position.Prefix, tokenizer.BeginThought, .. t.Tokens]))];
        double loss = 0, kl = 0, entropy = 0, clippedLow = 0, clippedHigh = 0, differences = 0, largestDifference = 0;
        var weightAt = 0;
        foreach (var (start, count) in TokenBatch.Split(sequences, stage.MicroBatchTokens))
        {
            using var inner = NewDisposeScope();
            var part = ThoughtTokens.Of(thoughts, sequences, start, count, advantages, weights, weightAt, settings.MaxThoughtTokens, policy.Parameters.Values.device);
            weightAt += part.Count;
            var distribution = Distribution(policy, part, settings.Temperature); // [m, V]
            var logProbabilities = distribution.gather(-1, part.Tokens.unsqueeze(-1)).squeeze(-1); // [m]
            var objective = ClippedSurrogate.Loss(logProbabilities, part.Behaviour, part.Advantages, part.Weights, settings.EpsilonLow, settings.EpsilonHigh);
            loss += objective.item<float>();
            if (settings.Beta > 0)
            {
                Tensor referenceLogProbabilities;
                using (no_grad())
                    referenceLogProbabilities = Distribution(reference!, part, settings.Temperature).gather(-1, part.Tokens.unsqueeze(-1)).squeeze(-1);
                var penalty = KlPenalty.Estimate(logProbabilities, referenceLogProbabilities, part.Weights);
                kl += penalty.item<float>();
                objective += penalty * settings.Beta;
            }
            objective.backward();

            using var noGradient = no_grad();
            var (low, high) = ClippedSurrogate.ClipRatios(logProbabilities, part.Behaviour, part.Advantages, part.Weights, settings.EpsilonLow, settings.EpsilonHigh);
            (clippedLow, clippedHigh) = (clippedLow + low, clippedHigh + high);
            var difference = (logProbabilities - part.Behaviour).abs(); // [m]
            differences += difference.sum().item<float>();
            largestDifference = Math.Max(largestDifference, difference.max().item<float>());
            entropy -= (distribution.exp() * distribution.masked_fill(distribution.isinf(), 0)).sum(-1).mul(part.Weights).sum().item<float>();
        }
        loss += settings.Beta * kl;

        // 10. One optimizer step (the teacher follows in EmaTeacher).
        var learningRate = Optimizer.LearningRate(Optimizer.Steps + 1);
        var gradNorm = Update(step, loss);
        var metrics = RlpMetrics.Of(groups, loss, gradNorm, learningRate);
        metrics["rlp/advantage_abs_mean"] = advantages.Average(a => Math.Abs((double)a));
        metrics["kl"] = kl;
        metrics["entropy"] = entropy;
        metrics["clip_ratio/low_mean"] = clippedLow;
        metrics["clip_ratio/high_mean"] = clippedHigh;
        metrics["clip_ratio/region_mean"] = clippedLow + clippedHigh;
        metrics["sampling/sampling_logp_difference/mean"] = differences / weights.Length;
        metrics["sampling/sampling_logp_difference/max"] = largestDifference;
        metrics["rlp/staleness"] = groups.Average(g => (double)(Optimizer.Steps - 1 - g.Sampled.PolicyVersion));
        return new AppliedStep(step, Optimizer.Steps, loss, gradNorm, policy.Parameters.Sha256(), metrics)
        {
            InputTokens = groups.Sum(g => g.Sampled.Position.Prefix.Length + 1L),
            Flops = StageFlops.Rlp(policy, groups),
        };
    }

    /// <summary>Next-token prediction over whole documents: the mean cross-entropy of all their tokens but the first.</summary>
    /// <exception cref="TrainingDivergedException">Loss or gradient is not finite.</exception>
    public AppliedStep ApplyNtp(long step, IReadOnlyList<int[]> documents)
    {
        using var scope = NewDisposeScope();
        policy.Parameters.ZeroGradients();
        var targets = documents.Sum(d => (long)d.Length - 1);
        if (targets < 1) throw new ArgumentException("no document of the batch has two tokens", nameof(documents));
        double loss = 0;
        foreach (var (start, count) in TokenBatch.Split(documents, stage.MicroBatchTokens))
        {
            using var inner = NewDisposeScope();
            var device = policy.Parameters.Values.device;
            int[][] part = [.. documents.Skip(start).Take(count)];
            var hidden = policy.Hidden(TokenBatch.RightPadded(part, tokenizer.Padding, device)); // [b, T, H]
            var rows = tensor(part.SelectMany((d, row) => Enumerable.Range(0, d.Length - 1).Select(i => (row * hidden.shape[1]) + i)).ToArray(), device: device);
            var next = tensor(part.SelectMany(d => d.Skip(1).Select(t => (long)t)).ToArray(), device: device);
            var logits = policy.Logits(hidden.flatten(0, 1).index_select(0, rows)); // [m, V]
            var objective = nn.functional.cross_entropy(logits, next, reduction: nn.Reduction.Sum) / targets;
            loss += objective.item<float>();
            objective.backward();
        }
        var learningRate = Optimizer.LearningRate(Optimizer.Steps + 1);
        var gradNorm = Update(step, loss);
        var metrics = new Dictionary<string, double> { ["loss"] = loss, ["grad_norm"] = gradNorm, ["learning_rate"] = learningRate };
        return new AppliedStep(step, Optimizer.Steps, loss, gradNorm, policy.Parameters.Sha256(), metrics)
        {
            InputTokens = documents.Sum(d => (long)d.Length),
            Flops = StageFlops.Ntp(policy, documents),
        };
    }

    private double Update(long step, double loss)
    {
        if (!double.IsFinite(loss)) throw new TrainingDivergedException($"the loss of step {step} of stage '{stage.Id}' is {loss}; lower the learning rate or look at the data of this step");
        return Optimizer.Update();
    }

    /// <summary>[B, G] in float64, on the CPU.</summary>
    private static Tensor Rewards(IReadOnlyList<ScoredGroup> groups)
    {
        var predicted = tensor(groups.SelectMany(g => g.Sampled.Thoughts.Select(t => t.PredictedEvidence)).ToArray(), [groups.Count, groups[0].Sampled.Thoughts.Count]);
        return InformationGain.Rewards(predicted, tensor(groups.Select(g => g.TeacherEvidence).ToArray()));
    }

    /// <summary>log pi(. | prefix, thought so far) at the sampling temperature and under the sampling masks, for each thought token: [m, V].</summary>
    private Tensor Distribution(IDecoder decoder, ThoughtTokens part, double temperature)
    {
        using var scope = NewDisposeScope();
        var hidden = decoder.Hidden(TokenBatch.RightPadded(part.Sequences, tokenizer.Padding, part.Rows.device)); // [b, T, H]
        var logits = decoder.Logits(hidden.flatten(0, 1).index_select(0, part.Rows)); // [m, V]
        return nn.functional.log_softmax((logits / temperature) + masks.Rows(part.MaskRows), -1).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        masks.Dispose();
        Optimizer.Dispose();
    }
}
