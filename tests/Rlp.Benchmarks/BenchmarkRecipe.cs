using Rlp.Models;
using Rlp.Training.Recipes;

namespace Rlp.Benchmarks;

/// <summary>
/// One RLP stage as a recipe, which is what engines and actors take: a model of <see cref="BenchmarkModel"/>'s shape over a text of random
/// characters, one token each.
/// </summary>
internal static class BenchmarkRecipe
{
    private const char FirstCharacter = '\u4E00'; // the beginning of 20,992 characters in a row

    /// <param name="folder">Where the text is written.</param>
    /// <param name="prefix">Tokens before the thought, the begin marker included.</param>
    public static Recipe Rlp(Qwen3Config config, string folder, int steps, int positions, int groupSize, int prefix, int thoughtTokens)
    {
        var alphabet = new string([.. Enumerable.Range(FirstCharacter, config.VocabularySize - 3).Select(c => (char)c)]);
        var random = new Random(1);
        var text = Path.Combine(folder, "text.txt");
        File.WriteAllText(text, string.Join("\n\n", Enumerable.Range(0, 256).Select(_ => new string(random.GetItems<char>(alphabet, prefix)))));
        return new Recipe
        {
            Name = "benchmark",
            Seed = 1,
            Model = new ModelSettings
            {
                HiddenSize = config.HiddenSize,
                IntermediateSize = config.IntermediateSize,
                Layers = config.Layers,
                AttentionHeads = config.AttentionHeads,
                KeyValueHeads = config.KeyValueHeads,
                HeadDim = config.HeadDim,
                InitializerRange = config.InitializerRange,
            },
            Tokenizer = new TokenizerSettings { Kind = TokenizerKind.Characters, Characters = alphabet },
            Markers = new ThoughtMarkers(),
            Corpora = [new CorpusSettings { Name = "text", Kind = CorpusKind.Text, Path = text, HeldOut = 0 }],
            Stages =
            [
                ExactThoughts.RlpStage(positions, groupSize, thoughtTokens) with
                {
                    Steps = steps,
                    CheckpointEvery = steps,
                    Data = [new MixturePart("text", 1)],
                    Rlp = ExactThoughts.RlpSettings(groupSize, thoughtTokens) with
                    {
                        Positions = new PositionSettings { Strategy = PositionStrategyKind.Last },
                    },
                },
            ],
        };
    }
}
