using Rlp.Models;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Training.Sampling;

/// <summary>
/// Decodes thoughts where logits lie on an accelerator: tokens are drawn there, and the host looks only now and then which thoughts have finished, so
/// that no token waits for it. Finished thoughts leave the batch then.
/// </summary>
internal static class DeviceDecoding
{
    /// <summary>Tokens between two looks.</summary>
    private const int LookEvery = 16;

    /// <param name="first">Logits after each position's prefix, [B, V].</param>
    /// <param name="predictions">Filled with the logits after each thought, [N, V]; null: not wanted.</param>
    public static void Run(
        IDecoder policy, SamplingMasks masks, SamplingSettings settings, DecoderState state, Tensor first, ThoughtBatch thoughts, Tensor? predictions)
    {
        var device = first.device;
        int count = thoughts.Count, maximum = settings.MaxThoughtTokens;
        var nextTokens = Index(Enumerable.Range(0, count).Select(thoughts.NextToken));
        int[] rows = [.. Enumerable.Range(0, count)]; // the thought of each row of the state
        var alive = Index(rows);
        var sampled = empty(maximum, count, dtype: int64, device: device).FilledInPlace(thoughts.End);
        var chances = zeros(maximum, count, dtype: float32, device: device);
        var evidence = zeros(count, dtype: float32, device: device);
        var done = zeros(count, dtype: @bool, device: device);
        var logits = first.index_select(0, Index(Enumerable.Range(0, count).Select(thoughts.Position))); // [N, V]
        Tensor noise = null!; // of the tokens until the next look, [LookEvery, rows]
        for (var index = 0; index < maximum; index++)
        {
            using var scope = NewDisposeScope();
            if (index % LookEvery == 0) noise = Noise(thoughts, rows, index, device).MoveToOuterDisposeScope();
            var distribution = nn.functional.log_softmax(
                logits.to(float32).Over(settings.Temperature).Plus(masks.Row(SamplingMasks.RowAt(index, settings.MinThoughtTokens, maximum))), -1);
            var finished = done.index_select(0, alive);
            var tokens = Draw(Truncated(distribution, settings), noise.select(0, index % LookEvery)).MaskFilled(finished, thoughts.End); // [rows]
            sampled[index].index_copy_(0, alive, tokens);
            chances[index].index_copy_(0, alive, distribution.gather(-1, tokens.unsqueeze(-1)).squeeze(-1));

            logits = policy.Decode(tokens, state);
            var ending = tokens.EqualTo(thoughts.End).logical_and(finished.logical_not());
            evidence.index_copy_(0, alive, where(
                ending, Evidence.LogProbability(logits.to(float32), nextTokens.index_select(0, alive)), evidence.index_select(0, alive)));
            predictions?.index_copy_(0, alive, where(ending.unsqueeze(-1), logits.to(float32), predictions.index_select(0, alive)));
            done.index_copy_(0, alive, finished.logical_or(ending));
            if ((index + 1) % LookEvery != 0) continue;

            bool[] over = [.. done.index_select(0, alive).cpu().data<bool>()];
            int[] kept = [.. Enumerable.Range(0, over.Length).Where(i => !over[i])];
            if (kept.Length == 0) break;
            if (2 * kept.Length > over.Length) continue; // a device that is not full takes as long for fewer rows, and operations are recorded anew
            state.Keep(kept);
            rows = [.. kept.Select(row => rows[row])];
            alive = Index(rows).MoveToOuterDisposeScope();
            logits = logits.index_select(0, Index(kept)).MoveToOuterDisposeScope();
        }
        Record(sampled, chances, evidence, thoughts);

        Tensor Index(IEnumerable<int> values) => tensor([.. values.Select(v => (long)v)], device: device);
    }

    /// <summary>Drawn on the host for some tokens at once: each transfer makes the host wait for the device.</summary>
    private static Tensor Noise(ThoughtBatch thoughts, int[] rows, int first, Device device)
    {
        var noise = new double[LookEvery * rows.Length];
        for (var token = 0; token < LookEvery; token++)
            for (var row = 0; row < rows.Length; row++) noise[(token * rows.Length) + row] = thoughts.Noise(rows[row], first + token);
        return tensor(noise, [LookEvery, rows.Length], device: device);
    }

    /// <summary>Inverse transform sampling in float64: a token of probability zero has an empty interval and is never drawn.</summary>
    /// <param name="logProbabilities">[N, V], up to a constant for each row.</param>
    /// <param name="uniform">[N], in [0, 1).</param>
    internal static Tensor Draw(Tensor logProbabilities, Tensor uniform)
    {
        using var scope = NewDisposeScope();
        var cumulative = logProbabilities.to(float64).exp().cumsum(-1); // [N, V]
        var threshold = uniform.unsqueeze(-1) * cumulative.narrow(-1, cumulative.shape[1] - 1, 1); // below the total, since the noise is below 1
        return cumulative.le(threshold).sum(-1, type: int64).MoveToOuterDisposeScope();
    }

    /// <summary>Minus infinity for the tokens that top-k, top-p and min-p leave out: [N, V].</summary>
    internal static Tensor Truncated(Tensor logProbabilities, SamplingSettings settings)
    {
        if (!settings.Truncates) return logProbabilities;
        using var scope = NewDisposeScope();
        var (sorted, order) = logProbabilities.sort(-1, descending: true, stable: true);
        var excluded = zeros_like(sorted, dtype: @bool);
        if (settings.TopK > 0 && settings.TopK < sorted.shape[1]) excluded.narrow(-1, settings.TopK, sorted.shape[1] - settings.TopK).FilledInPlace(true);
        var weights = sorted.to(float64).exp().MaskFilled(excluded, 0);
        var before = weights.cumsum(-1) - weights;
        if (settings.TopP < 1) excluded = excluded.logical_or(before.ge(weights.sum(-1, keepdim: true).Times(settings.TopP)));
        if (settings.MinP > 0) excluded = excluded.logical_or(sorted.to(float64).exp().lt(sorted.to(float64).exp().narrow(-1, 0, 1).Times(settings.MinP)));
        excluded.narrow(-1, 0, 1).FilledInPlace(false); // one token always stays
        return logProbabilities.MaskFilled(excluded.gather(-1, order.argsort(-1)), double.NegativeInfinity).MoveToOuterDisposeScope();
    }

    private static void Record(Tensor sampled, Tensor chances, Tensor evidence, ThoughtBatch thoughts)
    {
        long[] tokens = [.. sampled.cpu().data<long>()];
        float[] logProbabilities = [.. chances.cpu().data<float>()], nats = [.. evidence.cpu().data<float>()];
        for (var thought = 0; thought < thoughts.Count; thought++)
        {
            for (var index = 0; ; index++)
            {
                var at = (index * thoughts.Count) + thought;
                thoughts.Add(thought, (int)tokens[at], logProbabilities[at]);
                if (tokens[at] == thoughts.End) break;
            }
            thoughts.SetEvidence(thought, nats[thought]);
        }
    }
}
