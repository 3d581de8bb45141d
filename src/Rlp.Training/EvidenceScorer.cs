using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Objective;
using Rlp.Training.Engines;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>Evidence by a full teacher-forced pass, without a cache and without gradient (steps 5 and 6 of Algorithm 1).</summary>
public sealed class EvidenceScorer(IDecoder decoder, ITokenizer tokenizer, int microBatchTokens)
{
    /// <summary>log p(x_t | prefix) in nats: S_ema where the decoder is the teacher.</summary>
    public double[] WithoutThought(IReadOnlyList<GroupPosition> positions) =>
        Score([.. positions.Select(p => p.Prefix)], [.. positions.Select(p => p.NextToken)]);

    /// <summary>S_pred = log p(x_t | prefix, thought) in nats for every thought of every group; agrees with the sampler's to 1e-5.</summary>
    public double[] WithThought(IReadOnlyList<SampledGroup> groups) => Score(
        [.. groups.SelectMany(g => g.Thoughts.Select(t => (int[])[.. g.Position.Prefix, tokenizer.BeginThought, .. t.Tokens]))],
        [.. groups.SelectMany(g => g.Thoughts.Select(_ => g.Position.NextToken))]);

    private double[] Score(IReadOnlyList<int[]> contexts, IReadOnlyList<int> nextTokens)
    {
        using var noGradient = inference_mode();
        var scores = new List<double>(contexts.Count);
        foreach (var (start, count) in TokenBatch.Split(contexts, microBatchTokens))
        {
            using var scope = NewDisposeScope();
            var device = decoder.Parameters.Values.device;
            int[][] part = [.. contexts.Skip(start).Take(count)];
            var hidden = decoder.Hidden(TokenBatch.RightPadded(part, tokenizer.Padding, device)); // [b, T, H]
            var last = tensor(part.Select((c, row) => (row * hidden.shape[1]) + c.Length - 1).ToArray(), device: device);
            var logits = decoder.Logits(hidden.flatten(0, 1).index_select(0, last)); // [b, V]
            var targets = tensor(nextTokens.Skip(start).Take(count).Select(t => (long)t).ToArray(), device: device);
            scores.AddRange(Evidence.LogProbability(logits, targets).cpu().data<float>().Select(v => (double)v));
        }
        return [.. scores];
    }
}
