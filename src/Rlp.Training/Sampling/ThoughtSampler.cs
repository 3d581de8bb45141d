using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Engines;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Training.Sampling;

/// <summary>
/// Samples thoughts (step 3 of Algorithm 1): prefills each prefix and the forced begin marker once, then decodes the G thoughts of all positions
/// together on one copy of each prefix's keys and values. A finished thought leaves the batch. S_pred (step 6) is read from the same state after
/// the closing marker. What is sampled depends on the seed and the positions, never on timing.
/// </summary>
public sealed class ThoughtSampler(IDecoder policy, ITokenizer tokenizer, long seed, SamplingSettings settings) : IDisposable
{
    private readonly SamplingMasks masks = new(tokenizer, policy.Config.VocabularySize, policy.Parameters.Values.device);

    /// <summary>Whether logits lie in the host's memory, where tokens are drawn as they lie there.</summary>
    internal bool LogitsOnHost { get; init; } = policy.Parameters.Values.device_type == DeviceType.CPU;

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
        using var prefixes = new PackedSequences([.. positions.Select(p => (int[])[.. p.Prefix, tokenizer.BeginThought])], device);
        using var prefixState = policy.NewState(positions.Count, prefixes.Lengths.Max());
        var last = tensor([.. Enumerable.Range(0, positions.Count).Select(i => (long)prefixes.Last(i))], device: device);
        var first = policy.Logits(policy.Hidden(prefixes, prefixState).index_select(0, last)); // [B, V]
        using var state = prefixState.Fork(groupSize, settings.MaxThoughtTokens);

        var thoughts = new ThoughtBatch(step, positions, groupSize, purpose, seed, settings.MaxThoughtTokens, tokenizer.EndThought);
        Tensor? predictions = keepPredictions ? zeros(thoughts.Count, policy.Config.VocabularySize, dtype: float32, device: device) : null;
        if (LogitsOnHost) HostDecoding.Run(policy, masks, settings, state, first, thoughts, predictions);
        else DeviceDecoding.Run(policy, masks, settings, state, first, thoughts, predictions);
        return (thoughts.Groups(), predictions?.MoveToOuterDisposeScope());
    }

    public void Dispose() => masks.Dispose();
}
