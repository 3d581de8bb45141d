using Rlp.Corpora;
using Rlp.Models.Tokenizers;

namespace Rlp.Training.Recipes;

/// <summary>Opens what a recipe says about data: corpora, mixtures, position strategies, held-out problems.</summary>
public static class StageCorpora
{
    /// <summary>The training documents of a stage, an endless deterministic sequence.</summary>
    /// <exception cref="CorpusException">A corpus cannot be read or has no training document.</exception>
    public static DocumentStream Training(Recipe recipe, StageSettings stage) => new(
        [.. stage.Data.Select(part => (Open(recipe, part.Corpus), part.Weight, Split(recipe, part.Corpus)))],
        Philox.Key((ulong)recipe.Seed, $"data of stage {stage.Id}"), heldOut: false);

    /// <summary>The recipe's held-out problems: the same for every stage, and for every seed of the run where the corpus is a file.</summary>
    /// <exception cref="CorpusException">The corpus holds too few different ones.</exception>
    public static IReadOnlyList<(int[] Prefix, int NextToken)> Problems(Recipe recipe, CompareSettings compare, ITokenizer tokenizer, int count)
    {
        var stream = new DocumentStream([(Open(recipe, compare.Corpus), 1.0, Split(recipe, compare.Corpus))], Philox.Key((ulong)recipe.Seed, "held-out problems"), heldOut: true);
        var strategy = Strategy(compare.Positions, recipe, tokenizer);
        var problems = new List<(int[], int)>();
        foreach (var document in HeldOutProblems.Take(stream, count))
        {
            var tokens = tokenizer.EncodeDocument(document.Text);
            var positions = tokens.Length < 2 ? [] : strategy.Choose(tokens, document.Index);
            if (positions.Count == 0)
                throw new CorpusException($"corpus '{compare.Corpus}': held-out document {document.Index} has no position ({strategy.Description}); change compare.positions");
            problems.Add((tokens[..positions[0]], tokens[positions[0]]));
        }
        return problems;
    }

    public static IPositionStrategy Strategy(PositionSettings settings, Recipe recipe, ITokenizer tokenizer) => settings.Strategy switch
    {
        PositionStrategyKind.Last => new LastPosition(),
        PositionStrategyKind.Uniform => new UniformPosition(Philox.Key((ulong)recipe.Seed, "positions")),
        PositionStrategyKind.Every => new EveryKthPosition(settings.Every),
        PositionStrategyKind.Marker => new MarkerPosition(tokenizer.Encode(settings.Marker)),
        var kind => throw new ArgumentOutOfRangeException(nameof(settings), kind, "unknown position strategy"),
    };

    private static ICorpus Open(Recipe recipe, string name)
    {
        var corpus = Settings(recipe, name);
        return corpus.Kind switch
        {
            CorpusKind.Arithmetic => new ArithmeticCorpus(
                name, corpus.Terms, Philox.Key((ulong)recipe.Seed, "arithmetic"), corpus.Thoughts, corpus.Corruption, recipe.Markers.Begin, recipe.Markers.End,
                form: corpus.ThoughtForm),
            CorpusKind.Text => new TextCorpus(name, Required(corpus), corpus.Separator),
            CorpusKind.Jsonl => new JsonlCorpus(name, Required(corpus), corpus.Field),
            var kind => throw new ArgumentOutOfRangeException(nameof(recipe), kind, $"corpus '{name}' is of an unknown kind"),
        };
    }

    private static HeldOutSplit Split(Recipe recipe, string name) => new(Settings(recipe, name).HeldOut);

    private static CorpusSettings Settings(Recipe recipe, string name) =>
        recipe.Corpora.FirstOrDefault(c => c.Name == name)
        ?? throw new CorpusException($"recipe '{recipe.Name}' has no corpus '{name}'; it has {string.Join(", ", recipe.Corpora.Select(c => c.Name))}");

    private static string Required(CorpusSettings corpus) => corpus.Path ?? throw new CorpusException($"corpus '{corpus.Name}' needs a path");
}
