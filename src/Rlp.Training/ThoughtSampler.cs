using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Objective;
using Rlp.Training.Engines;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// Samples thoughts (step 3 of Algorithm 1): prefills each prefix and the forced begin marker once, then decodes the G thoughts of all
/// positions together. S_pred (step 6) is read from the same state after the closing marker.
/// </summary>
public sealed class ThoughtSampler(IDecoder policy, ITokenizer tokenizer, long seed, double temperature, int maxThoughtTokens) : IDisposable
{
    private readonly SamplingMasks masks = new(tokenizer, policy.Config.VocabularySize, policy.Parameters.Values.device);

    /// <summary>G thoughts for each position.</summary>
    public IReadOnlyList<SampledGroup> Sample(long step, IReadOnlyList<GroupPosition> positions, int groupSize, NoisePurpose purpose = NoisePurpose.Thought)
    {
        using var scope = NewDisposeScope();
        return Sample(step, positions, groupSize, purpose, keepPredictions: false).Groups;
    }

    /// <summary>The same, with the logits over the next token after each thought: [B * G, V], owned by the caller's dispose scope.</summary>
    internal (IReadOnlyList<SampledGroup> Groups, Tensor Predictions) SampleWithPredictions(
        long step, IReadOnlyList<GroupPosition> positions, int groupSize, NoisePurpose purpose)
    {
        var (groups, predictions) = Sample(step, positions, groupSize, purpose, keepPredictions: true);
        return (groups, predictions!);
    }

    private (IReadOnlyList<SampledGroup> Groups, Tensor? Predictions) Sample(
        long step, IReadOnlyList<GroupPosition> positions, int groupSize, NoisePurpose purpose, bool keepPredictions)
    {
        using var noGradient = inference_mode();
        using var scope = NewDisposeScope();
        var device = policy.Parameters.Values.device;
        int rows = positions.Count * groupSize, end = tokenizer.EndThought;

        var (prefixes, padding) = TokenBatch.LeftPadded([.. positions.Select(p => (int[])[.. p.Prefix, tokenizer.BeginThought])], tokenizer.Padding, device);
        var prefixLength = prefixes.shape[1];
        using var prefixState = policy.NewState(positions.Count, prefixLength);
        var logits = policy.Logits(policy.Hidden(prefixes, prefixState, padding).select(1, prefixLength - 1)).repeat_interleave(groupSize, 0); // [N, V]
        using var state = prefixState.Repeat(groupSize, prefixLength + maxThoughtTokens);

        var noise = Noise(step, positions, groupSize, purpose, device); // [max, N]
        var nextTokens = tensor(positions.SelectMany(p => Enumerable.Repeat((long)p.NextToken, groupSize)).ToArray(), device: device); // [N]
        var done = zeros(rows, dtype: torch.@bool, device: device);
        var evidence = zeros(rows, dtype: float32, device: device);
        var predictions = keepPredictions ? zeros(rows, policy.Config.VocabularySize, dtype: float32, device: device) : null;
        List<Tensor> sampledTokens = [], sampledLogProbabilities = [];
        for (var index = 0; index < maxThoughtTokens; index++)
        {
            using var inner = NewDisposeScope();
            var logProbabilities = nn.functional.log_softmax((logits / temperature) + masks.Row(SamplingMasks.RowAt(index, maxThoughtTokens)), -1);
            var tokens = Draw(logProbabilities, noise[index]).masked_fill(done, end);
            sampledTokens.Add(tokens.MoveToOuterDisposeScope());
            sampledLogProbabilities.Add(logProbabilities.gather(-1, tokens.unsqueeze(-1)).squeeze(-1).MoveToOuterDisposeScope());

            var ended = tokens.eq(end).logical_and(done.logical_not());
            done = done.logical_or(ended).MoveToOuterDisposeScope();
            logits = policy.Logits(policy.Hidden(tokens.unsqueeze(-1), state).squeeze(1)).MoveToOuterDisposeScope();
            evidence = where(ended, Evidence.LogProbability(logits, nextTokens), evidence).MoveToOuterDisposeScope();
            if (predictions is not null) predictions = where(ended.unsqueeze(-1), logits, predictions).MoveToOuterDisposeScope();
            if (done.all().item<bool>()) break;
        }
        return (Groups(positions, groupSize, stack(sampledTokens), stack(sampledLogProbabilities), evidence), predictions?.MoveToOuterDisposeScope());
    }

    /// <summary>Inverse transform sampling in float64: a token of probability zero has an empty interval and is never drawn.</summary>
    internal static Tensor Draw(Tensor logProbabilities, Tensor uniform)
    {
        using var scope = NewDisposeScope();
        var cumulative = logProbabilities.to(float64).exp().cumsum(-1); // [N, V]
        var threshold = uniform.unsqueeze(-1) * cumulative.narrow(-1, cumulative.shape[1] - 1, 1); // below the total, since the noise is below 1
        return cumulative.le(threshold).sum(-1, type: int64).MoveToOuterDisposeScope();
    }

    private Tensor Noise(long step, IReadOnlyList<GroupPosition> positions, int groupSize, NoisePurpose purpose, Device device)
    {
        var noise = new double[maxThoughtTokens * positions.Count * groupSize];
        var at = 0;
        for (var token = 0; token < maxThoughtTokens; token++)
            foreach (var position in positions)
                for (var member = 0; member < groupSize; member++)
                    noise[at++] = SamplingNoise.Uniform(seed, purpose, step, position.Group, member, token);
        return tensor(noise, [maxThoughtTokens, positions.Count * groupSize], device: device);
    }

    private IReadOnlyList<SampledGroup> Groups(
        IReadOnlyList<GroupPosition> positions, int groupSize, Tensor tokens, Tensor logProbabilities, Tensor evidence)
    {
        long[] allTokens = [.. tokens.cpu().data<long>()]; // [length, N]
        float[] allLogProbabilities = [.. logProbabilities.cpu().data<float>()];
        float[] allEvidence = [.. evidence.cpu().data<float>()];
        int length = (int)tokens.shape[0], rows = positions.Count * groupSize;
        var groups = new SampledGroup[positions.Count];
        for (var group = 0; group < positions.Count; group++)
        {
            var thoughts = new SampledThought[groupSize];
            for (var member = 0; member < groupSize; member++)
            {
                var row = (group * groupSize) + member;
                var count = 1 + Enumerable.Range(0, length).First(i => allTokens[(i * rows) + row] == tokenizer.EndThought);
                thoughts[member] = new SampledThought(
                    [.. Enumerable.Range(0, count).Select(i => (int)allTokens[(i * rows) + row])],
                    [.. Enumerable.Range(0, count).Select(i => allLogProbabilities[(i * rows) + row])],
                    Clipped: count == maxThoughtTokens, allEvidence[row]);
            }
            groups[group] = new SampledGroup(positions[group], thoughts);
        }
        return groups;
    }

    public void Dispose() => masks.Dispose();
}
