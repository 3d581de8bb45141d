using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Objective;
using Rlp.Training.Engines;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// Evidence by a full teacher-forced pass, without a cache and without gradient (steps 5 and 6 of Algorithm 1). Contexts that begin a longer one, as
/// the positions of one document do, are read from the longer one's pass.
/// </summary>
/// <param name="microBatchTokens">Tokens of one pass; at least one context is taken.</param>
public sealed class EvidenceScorer(IDecoder decoder, ITokenizer tokenizer, int microBatchTokens)
{
    private const int LogitsAtOnce = 1 << 22; // elements, whatever the vocabulary

    /// <summary>log p(x_t | prefix) in nats: S_ema where the decoder is the teacher.</summary>
    public double[] WithoutThought(IReadOnlyList<GroupPosition> positions) =>
        Score([.. positions.Select(p => p.Prefix)], [.. positions.Select(p => p.NextToken)]);

    /// <summary>S_pred = log p(x_t | prefix, thought) in nats for every thought of every group; agrees with the sampler's to 1e-5.</summary>
    public double[] WithThought(IReadOnlyList<SampledGroup> groups) => Score(
        [.. groups.SelectMany(g => g.Thoughts.Select(t => (int[])[.. g.Position.Prefix, tokenizer.BeginThought, .. t.Tokens]))],
        [.. groups.SelectMany(g => g.Thoughts.Select(_ => g.Position.NextToken))]);

    private double[] Score(int[][] contexts, int[] nextTokens)
    {
        using var noGradient = inference_mode();
        var scores = new double[contexts.Length];
        var passes = Passes(contexts);
        foreach (var (start, count) in TokenBatch.Split([.. passes.Select(p => p.Tokens.Length)], microBatchTokens))
        {
            using var scope = NewDisposeScope();
            var part = passes.GetRange(start, count);
            using var pack = new PackedSequences([.. part.Select(p => p.Tokens)], decoder.Parameters.Values.device);
            var hidden = decoder.Hidden(pack); // [M, H]
            var places = part.SelectMany((p, i) => p.Contexts.Select(c => (Context: c, Row: (long)pack.Starts[i] + contexts[c].Length - 1))).ToArray();
            foreach (var chunk in places.Chunk(Math.Max(1, LogitsAtOnce / decoder.Config.VocabularySize)))
            {
                var logits = decoder.Logits(hidden.index_select(0, Index(chunk.Select(p => p.Row)))); // [n, V]
                var evidence = Evidence.LogProbability(logits.to(float32), Index(chunk.Select(p => (long)nextTokens[p.Context])));
                foreach (var (place, nats) in chunk.Zip(evidence.cpu().data<float>())) scores[place.Context] = nats;
            }
        }
        return scores;

        Tensor Index(IEnumerable<long> values) => tensor(values.ToArray(), device: decoder.Parameters.Values.device);
    }

    /// <summary>The contexts that begin no other one, each with those that begin it: in lexicographic order a context stands before what it begins.</summary>
    private static List<(int[] Tokens, List<int> Contexts)> Passes(IReadOnlyList<int[]> contexts)
    {
        var order = Enumerable.Range(0, contexts.Count).ToArray();
        Array.Sort(order, (a, b) => contexts[a].AsSpan().SequenceCompareTo(contexts[b]) is var c && c != 0 ? c : a.CompareTo(b));
        var passes = new List<(int[] Tokens, List<int> Contexts)>();
        foreach (var context in order.Reverse())
        {
            if (passes.Count > 0 && passes[^1].Tokens.AsSpan().StartsWith(contexts[context])) passes[^1].Contexts.Add(context);
            else passes.Add((contexts[context], [context]));
        }
        return passes;
    }
}
