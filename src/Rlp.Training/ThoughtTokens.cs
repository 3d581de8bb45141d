using Rlp.Models;
using Rlp.Training.Engines;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>A thought as the loss sees it.</summary>
/// <param name="Weight">Of each of its tokens, see <see cref="Rlp.Objective.ThoughtWeights"/>.</param>
internal sealed record LearnedThought(GroupPosition Position, SampledThought Thought, float Advantage, float Weight)
{
    /// <summary>Tokens whose states predict the thought, those of its prefix not counted: all but the last.</summary>
    public int Inputs => Thought.Tokens.Length - 1;
}

/// <summary>
/// The thought tokens of a micro-batch, flat in one dimension m, with what the loss needs to know of each. The prefix of a position is in the pack
/// once, its thoughts continue it.
/// </summary>
/// <param name="Sequences">Each position's prefix and begin marker, behind it its thoughts without their last token.</param>
/// <param name="Continues">See <see cref="PackedSequences.Continues"/>.</param>
/// <param name="Rows">Where the state that predicts each token lies in the pack, [m] int64.</param>
internal sealed record ThoughtTokens(
    IReadOnlyList<int[]> Sequences, IReadOnlyList<int> Continues, Tensor Rows, Tensor Tokens, Tensor MaskRows, Tensor Behaviour, Tensor Advantages, Tensor Weights)
{
    /// <summary>
    /// Runs of thoughts whose tokens, each prefix counted once in a run, are at most <paramref name="tokens"/> (at least one thought each). Positions
    /// with most tokens first, so that what does not fit into memory fails at once; a position's longest thoughts first.
    /// </summary>
    public static IEnumerable<LearnedThought[]> MicroBatches(IReadOnlyList<LearnedThought> thoughts, int tokens)
    {
        var ordered = thoughts.GroupBy(t => t.Position)
            .OrderByDescending(g => g.Key.Prefix.Length + g.Sum(t => t.Thought.Tokens.Length))
            .SelectMany(g => g.OrderByDescending(t => t.Thought.Tokens.Length));
        var batch = new List<LearnedThought>();
        long total = 0;
        foreach (var thought in ordered)
        {
            var cost = thought.Inputs + (batch.Count > 0 && batch[^1].Position == thought.Position ? 0 : thought.Position.Prefix.Length + 1);
            if (batch.Count > 0 && total + cost > tokens)
            {
                yield return [.. batch];
                batch.Clear();
                (total, cost) = (0, thought.Inputs + thought.Position.Prefix.Length + 1);
            }
            batch.Add(thought);
            total += cost;
        }
        if (batch.Count > 0) yield return [.. batch];
    }

    /// <param name="thoughts">Those of a position one behind the other.</param>
    public static ThoughtTokens Of(IReadOnlyList<LearnedThought> thoughts, int beginThought, SamplingSettings sampling, Device device)
    {
        List<int[]> sequences = [];
        List<int> continues = [];
        List<long> rows = [], tokens = [], maskRows = [];
        List<float> behaviour = [], advantages = [], weights = [];
        int at = 0, prefix = -1;
        long prefixEnd = 0;
        for (var i = 0; i < thoughts.Count; i++)
        {
            var (position, thought, advantage, weight) = thoughts[i];
            if (i == 0 || thoughts[i - 1].Position != position)
            {
                prefix = sequences.Count;
                sequences.Add([.. position.Prefix, beginThought]);
                continues.Add(-1);
                at += sequences[^1].Length;
                prefixEnd = at - 1;
            }
            for (var u = 0; u < thought.Tokens.Length; u++)
            {
                rows.Add(u == 0 ? prefixEnd : at + u - 1); // the state that predicts token u
                tokens.Add(thought.Tokens[u]);
                maskRows.Add(SamplingMasks.RowAt(u, sampling.MinThoughtTokens, sampling.MaxThoughtTokens));
                behaviour.Add(thought.LogProbabilities[u]);
                advantages.Add(advantage);
                weights.Add(weight);
            }
            if (thoughts[i].Inputs == 0) continue; // the prefix alone predicts its one token
            sequences.Add(thought.Tokens[..^1]);
            continues.Add(prefix);
            at += thoughts[i].Inputs;
        }
        return new ThoughtTokens(sequences, continues, Of(rows), Of(tokens), Of(maskRows), OfFloats(behaviour), OfFloats(advantages), OfFloats(weights));

        Tensor Of(List<long> values) => tensor(values.ToArray(), device: device);
        Tensor OfFloats(List<float> values) => tensor(values.ToArray(), device: device);
    }

    /// <summary>Some consecutive tokens of these; <see cref="Rows"/> and <see cref="Sequences"/> stay those of the micro-batch.</summary>
    public ThoughtTokens Narrow(long begin, long count) => this with
    {
        Tokens = Tokens.narrow(0, begin, count),
        MaskRows = MaskRows.narrow(0, begin, count),
        Behaviour = Behaviour.narrow(0, begin, count),
        Advantages = Advantages.narrow(0, begin, count),
        Weights = Weights.narrow(0, begin, count),
    };
}
