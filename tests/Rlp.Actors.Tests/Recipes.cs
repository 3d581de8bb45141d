using Rlp.Corpora;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Tests;

/// <summary>Small recipes: for the fake engines, and one for those of libtorch.</summary>
internal static class Recipes
{
    /// <summary>pretrain -> cpt -> rlp -> compare.</summary>
    public static Recipe Full(
        long pretrain = 7,
        long cpt = 4,
        long rlp = 9,
        int lanes = 2,
        long checkpointEvery = 3,
        long evaluateEvery = 4,
        long seed = 1,
        int staleness = 0) => new()
        {
            Name = "fake",
            Seed = seed,
            Model = new ModelSettings { HiddenSize = 8, IntermediateSize = 16, Layers = 1, AttentionHeads = 2, KeyValueHeads = 1, HeadDim = 4 },
            Tokenizer = new TokenizerSettings { Kind = TokenizerKind.Characters, Characters = "0123456789+-=" },
            Markers = new ThoughtMarkers(),
            Corpora = [new CorpusSettings { Name = "arithmetic", Kind = CorpusKind.Arithmetic }],
            Stages =
        [
            Stage("pretrain", StageKind.Ntp, null, pretrain, checkpointEvery, 0, 0),
            Stage("cpt", StageKind.Ntp, "pretrain", cpt, checkpointEvery, 0, 0),
            Stage("rlp", StageKind.Rlp, "pretrain", rlp, checkpointEvery, evaluateEvery, lanes, staleness),
        ],
            Compare = new CompareSettings { Corpus = "arithmetic", Problems = 20, ProblemsWhileTraining = 5 },
        };

    /// <summary>The four stages of the arithmetic recipe on a network of a few thousand weights; the two lanes of an RLP step are of unequal size.</summary>
    public static Recipe Arithmetic(long seed = 1, int staleness = 0)
    {
        var positions = new PositionSettings { Strategy = PositionStrategyKind.Marker, Marker = "=" };
        StageSettings Ntp(string id, string? from, long steps, params MixturePart[] data) => new()
        {
            Id = id,
            Kind = StageKind.Ntp,
            From = from,
            Steps = steps,
            BatchSize = 8,
            Data = data,
            Optimizer = new OptimizerSettings { LearningRate = 1e-3, WeightDecay = 0.1, Schedule = LearningRateSchedule.Cosine, WarmupSteps = 2 },
        };
        return new()
        {
            Name = "tiny",
            Seed = seed,
            Model = new ModelSettings
            {
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 2,
                AttentionHeads = 2,
                KeyValueHeads = 1,
                HeadDim = 8,
                InitializerRange = 0.2,
            },
            Tokenizer = new TokenizerSettings { Kind = TokenizerKind.Characters, Characters = "0123456789+-=\n" },
            Markers = new ThoughtMarkers(),
            Corpora =
            [
                new CorpusSettings { Name = "plain", Kind = CorpusKind.Arithmetic, Terms = 3 },
                new CorpusSettings { Name = "thoughts", Kind = CorpusKind.Arithmetic, Terms = 3, Thoughts = ArithmeticThoughts.Corrupted },
            ],
            Stages =
            [
                Ntp("pretrain", null, 4, new MixturePart("plain", 1), new MixturePart("thoughts", 1)),
                Ntp("cpt", "pretrain", 3, new MixturePart("plain", 1)),
                Ntp("cpt_thoughts", "pretrain", 3, new MixturePart("thoughts", 1)),
                new StageSettings
                {
                    Id = "rlp",
                    Kind = StageKind.Rlp,
                    From = "pretrain",
                    Steps = 5,
                    BatchSize = 5,
                    CheckpointEvery = 2,
                    EvaluateEvery = 3,
                    Data = [new MixturePart("plain", 1)],
                    Optimizer = new OptimizerSettings { LearningRate = 1e-3 },
                    Rlp = new RlpSettings
                    {
                        GroupSize = 4,
                        Temperature = 0.9,
                        MaxThoughtTokens = 6,
                        Lanes = 2,
                        Tau = 0.9,
                        Staleness = staleness,
                        Positions = positions,
                    },
                },
            ],
            Compare = new CompareSettings { Corpus = "plain", Problems = 20, ProblemsWhileTraining = 10, Samples = 4, MaxThoughtTokens = 6, Positions = positions },
        };
    }

    public static StageSettings Stage(
        string id, StageKind kind, string? from, long steps, long checkpointEvery, long evaluateEvery, int lanes, int staleness = 0) => new()
        {
            Id = id,
            Kind = kind,
            From = from,
            Steps = steps,
            BatchSize = 4,
            Data = [new MixturePart("arithmetic", 1)],
            Optimizer = new OptimizerSettings { LearningRate = 1e-3 },
            Rlp = kind == StageKind.Rlp ? new RlpSettings { GroupSize = 3, Lanes = lanes, Staleness = staleness } : null,
            CheckpointEvery = checkpointEvery,
            EvaluateEvery = evaluateEvery,
        };
}
