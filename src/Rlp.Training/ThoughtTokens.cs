using Rlp.Training.Engines;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>The thought tokens of a micro-batch, flat in one dimension m, with what the loss needs to know of each.</summary>
internal sealed record ThoughtTokens(
    int[][] Sequences, int Count, Tensor Rows, Tensor Tokens, Tensor MaskRows, Tensor Behaviour, Tensor Advantages, Tensor Weights)
{
    /// <param name="sequences">Prefix, begin marker and thought of every thought of the step.</param>
    /// <param name="weightAt">Thought tokens of the step before this micro-batch.</param>
    public static ThoughtTokens Of(
        SampledThought[] thoughts, int[][] sequences, int start, int count, float[] advantages, float[] weights, int weightAt, SamplingSettings sampling, Device device)
    {
        int[][] part = sequences[start..(start + count)];
        var longest = part.Max(s => s.Length);
        List<long> rows = [], tokens = [], maskRows = [];
        List<float> behaviour = [], advantage = [];
        for (var i = 0; i < count; i++)
        {
            var thought = thoughts[start + i];
            for (var u = 0; u < thought.Tokens.Length; u++)
            {
                rows.Add((i * longest) + part[i].Length - thought.Tokens.Length + u - 1); // the state that predicts token u
                tokens.Add(thought.Tokens[u]);
                maskRows.Add(SamplingMasks.RowAt(u, sampling.MinThoughtTokens, sampling.MaxThoughtTokens));
                behaviour.Add(thought.LogProbabilities[u]);
                advantage.Add(advantages[start + i]);
            }
        }
        return new ThoughtTokens(part, tokens.Count,
            tensor(rows.ToArray(), device: device), tensor(tokens.ToArray(), device: device), tensor(maskRows.ToArray(), device: device),
            tensor(behaviour.ToArray(), device: device), tensor(advantage.ToArray(), device: device),
            tensor(weights[weightAt..(weightAt + tokens.Count)], device: device));
    }

    /// <summary>Some consecutive tokens of these; <see cref="Rows"/> and <see cref="Sequences"/> stay those of the micro-batch.</summary>
    public ThoughtTokens Narrow(long begin, long count) => this with
    {
        Count = (int)count,
        Tokens = Tokens.narrow(0, begin, count),
        MaskRows = MaskRows.narrow(0, begin, count),
        Behaviour = Behaviour.narrow(0, begin, count),
        Advantages = Advantages.narrow(0, begin, count),
        Weights = Weights.narrow(0, begin, count),
    };
}
