using Rlp.Corpora;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Tests;

/// <summary>An arithmetic recipe small enough for unit tests.</summary>
internal static class TinyRecipes
{
    public static Recipe Arithmetic(long seed = 1, int lanes = 1, double beta = 0, int microBatchTokens = 16_384, int staleness = 0) => new()
    {
        Name = "tiny",
        Seed = seed,
        Model = new ModelSettings { HiddenSize = 16, IntermediateSize = 24, Layers = 2, AttentionHeads = 2, KeyValueHeads = 1, HeadDim = 8, InitializerRange = 0.2 },
        Tokenizer = new TokenizerSettings { Kind = TokenizerKind.Characters, Characters = "0123456789+-=\n" },
        Markers = new ThoughtMarkers(),
        Corpora =
        [
            new CorpusSettings { Name = "plain", Kind = CorpusKind.Arithmetic, Terms = 3 },
            new CorpusSettings { Name = "thoughts", Kind = CorpusKind.Arithmetic, Terms = 3, Thoughts = ArithmeticThoughts.Corrupted },
        ],
        Stages =
        [
            new StageSettings
            {
                Id = "pretrain", Kind = StageKind.Ntp, Steps = 4, BatchSize = 8, MicroBatchTokens = microBatchTokens,
                Data = [new MixturePart("plain", 1), new MixturePart("thoughts", 1)],
                Optimizer = new OptimizerSettings { LearningRate = 1e-3, WeightDecay = 0.1 },
            },
            new StageSettings
            {
                Id = "rlp", Kind = StageKind.Rlp, From = "pretrain", Steps = 6, BatchSize = 5, MicroBatchTokens = microBatchTokens,
                Data = [new MixturePart("plain", 1)],
                Optimizer = new OptimizerSettings { LearningRate = 1e-3 },
                Rlp = new RlpSettings
                {
                    GroupSize = 4, Temperature = 0.9, MaxThoughtTokens = 6, Lanes = lanes, Beta = beta, Tau = 0.9, Staleness = staleness,
                    Positions = new PositionSettings { Strategy = PositionStrategyKind.Marker, Marker = "=" },
                },
            },
        ],
        Compare = new CompareSettings
        {
            Corpus = "plain",
            Problems = 40,
            Samples = 8,
            MaxThoughtTokens = 6,
            Positions = new PositionSettings { Strategy = PositionStrategyKind.Marker, Marker = "=" },
        },
    };

    public static StageContext Context(Recipe recipe, string stage, string folder) =>
        new("test", recipe, recipe.Stage(stage), folder, Threads: 1, new NodeWeights());
}
