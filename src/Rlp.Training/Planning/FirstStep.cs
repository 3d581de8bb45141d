using Rlp.Corpora;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Planning;

/// <summary>
/// The first step of a stage with the lengths of its real data, for what a step costs. Nothing is sampled: thoughts are as long as they may
/// be.
/// </summary>
/// <param name="Documents">Of an NTP stage; else empty.</param>
/// <param name="Groups">Of an RLP stage; else empty.</param>
public sealed record FirstStep(IReadOnlyList<int[]> Documents, IReadOnlyList<ScoredGroup> Groups)
{
    /// <exception cref="CorpusException">The stage's data cannot be read.</exception>
    public static FirstStep Of(Recipe recipe, StageSettings stage)
    {
        using var engine = new CorpusDataEngine(new StageContext("plan", recipe, stage, "", 1, new NodeWeights()));
        var data = engine.Load(default);
        if (stage.Rlp is not { } rlp) return new FirstStep(data.Documents, []);
        var thought = new SampledThought(new int[rlp.MaxThoughtTokens], [], Clipped: true, 0);
        SampledThought[] thoughts = [.. Enumerable.Repeat(thought, rlp.GroupSize)];
        return new FirstStep([], [.. data.Positions.Select(p => new ScoredGroup(new SampledGroup(p, thoughts), 0))]);
    }

    /// <summary>Corpus tokens that the step reads.</summary>
    public long InputTokens => Documents.Sum(d => (long)d.Length) + Groups.Sum(g => g.Sampled.Position.Prefix.Length + 1L);

    /// <summary>Tokens of all thoughts.</summary>
    public long ThoughtTokens => Groups.Sum(g => g.Sampled.Thoughts.Sum(t => (long)t.Tokens.Length));

    /// <summary>Of the documents or prefixes.</summary>
    public double MeanLength =>
        Groups.Count > 0 ? Groups.Average(g => (double)g.Sampled.Position.Prefix.Length) : Documents.Average(d => (double)d.Length);
}
