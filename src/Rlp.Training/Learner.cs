using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Objective;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// One optimizer step on the policy. Long batches are split into micro-batches whose gradients add up; logits are computed only for the tokens
/// that the loss needs, and of those a few rows at a time.
/// </summary>
public sealed class Learner : IDisposable
{
    private readonly IDecoder policy;
    private readonly ITokenizer tokenizer;
    private readonly StageSettings stage;
    private readonly SamplingMasks masks;
    private readonly IDecoder? reference;
    private readonly int? logitsAtOnce;

    /// <param name="reference">The fixed pi_ref of the KL penalty; needed when and only when beta is above zero.</param>
    /// <param name="logitsAtOnce">Elements of the logits that are in memory at once, at least one row; null: as many as suit the device.</param>
    public Learner(
        IDecoder policy, ITokenizer tokenizer, StageSettings stage, IDecoder? reference = null, int? logitsAtOnce = null)
    {
        (this.policy, this.tokenizer, this.stage, this.reference, this.logitsAtOnce) = (policy, tokenizer, stage, reference, logitsAtOnce);
        if (stage.Rlp is { Beta: > 0 } && reference is null) throw new ArgumentException("a KL penalty (beta > 0) needs a reference policy", nameof(reference));
        policy.RecomputesActivations = stage.ActivationCheckpointing;
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
        var advantages = Advantages.LeaveOneOut(Rewards(groups)).data<double>().ToArray(); // [B * G]
        var sampled = groups.SelectMany(g => g.Sampled.Thoughts.Select(t => (g.Sampled.Position, Thought: t))).ToArray();
        var weights = ThoughtWeights.PerThought([.. sampled.Select(t => t.Thought.Tokens.Length)]);
        LearnedThought[] thoughts = [.. sampled.Select((t, i) => new LearnedThought(t.Position, t.Thought, (float)advantages[i], weights[i]))];

        // 9. loss = sum of w * -min(rho A, clip(rho) A) over the thought tokens, micro-batch by micro-batch.
        double loss = 0, kl = 0, entropy = 0, clippedLow = 0, clippedHigh = 0, differences = 0, largestDifference = 0;
        foreach (var batch in ThoughtTokens.MicroBatches(thoughts, stage.MicroBatchTokens))
        {
            using var inner = NewDisposeScope();
            var part = ThoughtTokens.Of(batch, tokenizer.BeginThought, settings.Sampling, policy.Parameters.Values.device);
            var head = new ChunkedHead(policy, States(policy, part), logitsAtOnce);
            var referenceHead = settings.Beta > 0 ? ReferenceHead(part) : null;
            foreach (var (begin, rows) in head.Chunks)
            {
                using var innermost = NewDisposeScope();
                var chunk = part.Narrow(begin, rows);
                var mask = masks.Mask(chunk.MaskRows);
                var distribution = head.Forward(begin, chunk.Tokens, settings.Temperature, mask);
                var logProbabilities = distribution.LogProbabilities; // [c]
                var objective = ClippedSurrogate.Loss(
                    logProbabilities, chunk.Behaviour, chunk.Advantages, chunk.Weights, settings.EpsilonLow, settings.EpsilonHigh);
                loss += objective.item<float>();
                if (referenceHead is not null)
                {
                    var referenceLogProbabilities = referenceHead.Forward(begin, chunk.Tokens, settings.Temperature, mask).LogProbabilities;
                    var penalty = KlPenalty.Estimate(logProbabilities, referenceLogProbabilities, chunk.Weights);
                    kl += penalty.item<float>();
                    objective = objective.Plus(penalty.Times(settings.Beta));
                }
                objective.backward();

                using var noGradient = no_grad();
                var (low, high) = ClippedSurrogate.ClipRatios(
                    logProbabilities, chunk.Behaviour, chunk.Advantages, chunk.Weights, settings.EpsilonLow, settings.EpsilonHigh);
                (clippedLow, clippedHigh) = (clippedLow + low, clippedHigh + high);
                var difference = (logProbabilities - chunk.Behaviour).abs(); // [c]
                differences += difference.sum().item<float>();
                largestDifference = Math.Max(largestDifference, difference.max().item<float>());
                entropy += (distribution.Entropies * chunk.Weights).sum().item<float>(); // the order in which dot adds depends on addresses
                head.Backward(distribution);
            }
            head.Backward();
        }
        loss += settings.Beta * kl;

        // 10. One optimizer step (the teacher follows in EmaTeacher).
        var learningRate = Optimizer.LearningRate(Optimizer.Steps + 1);
        var gradNorm = Update(step, loss);
        var metrics = RlpMetrics.Of(groups, loss, gradNorm, learningRate);
        metrics["rlp/advantage_abs_mean"] = advantages.Average(Math.Abs);
        metrics["kl"] = kl;
        metrics["entropy"] = entropy;
        metrics["clip_ratio/low_mean"] = clippedLow;
        metrics["clip_ratio/high_mean"] = clippedHigh;
        metrics["clip_ratio/region_mean"] = clippedLow + clippedHigh;
        metrics["sampling/sampling_logp_difference/mean"] = differences / thoughts.Sum(t => t.Thought.Tokens.Length);
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
        var (tokens, flops) = (documents.Sum(d => (long)d.Length), StageFlops.Ntp(policy, documents));
        var targets = tokens - documents.Count;
        if (targets < 1) throw new ArgumentException("no document of the batch has two tokens", nameof(documents));
        documents = [.. TokenBatch.LongestFirst(documents).Select(i => documents[i]).Where(d => d.Length > 1)];
        double loss = 0;
        foreach (var (start, count) in TokenBatch.Split([.. documents.Select(d => d.Length - 1)], stage.MicroBatchTokens))
        {
            using var inner = NewDisposeScope();
            var device = policy.Parameters.Values.device;
            int[][] part = [.. documents.Skip(start).Take(count)];
            using var pack = new PackedSequences([.. part.Select(d => d[..^1])], device);
            var next = tensor(part.SelectMany(d => d.Skip(1).Select(t => (long)t)).ToArray(), device: device);
            var head = new ChunkedHead(policy, policy.Hidden(pack), logitsAtOnce);
            foreach (var (begin, chunkRows) in head.Chunks)
            {
                using var innermost = NewDisposeScope();
                var distribution = head.Forward(begin, next.narrow(0, begin, chunkRows));
                var objective = distribution.LogProbabilities.sum().neg().Over(targets);
                loss += objective.item<float>();
                objective.backward();
                head.Backward(distribution);
            }
            head.Backward();
        }
        var learningRate = Optimizer.LearningRate(Optimizer.Steps + 1);
        var gradNorm = Update(step, loss);
        var metrics = new Dictionary<string, double> { ["loss"] = loss, ["grad_norm"] = gradNorm, ["learning_rate"] = learningRate };
        return new AppliedStep(step, Optimizer.Steps, loss, gradNorm, policy.Parameters.Sha256(), metrics)
        {
            InputTokens = tokens,
            Flops = flops,
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

    /// <summary>The hidden states that predict the thought tokens: [m, H].</summary>
    private static Tensor States(IDecoder decoder, ThoughtTokens part)
    {
        using var scope = NewDisposeScope();
        using var pack = new PackedSequences(part.Sequences, part.Rows.device, part.Continues);
        return decoder.Hidden(pack).index_select(0, part.Rows).MoveToOuterDisposeScope();
    }

    private ChunkedHead ReferenceHead(ThoughtTokens part)
    {
        using var noGradient = no_grad();
        return new ChunkedHead(reference!, States(reference!, part), logitsAtOnce);
    }

    public void Dispose()
    {
        masks.Dispose();
        Optimizer.Dispose();
    }
}
