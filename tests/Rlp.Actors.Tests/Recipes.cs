using Rlp.Training.Recipes;

namespace Rlp.Actors.Tests;

/// <summary>Small recipes for the fake engines.</summary>
internal static class Recipes
{
    /// <summary>pretrain -> cpt -> rlp -> compare.</summary>
    public static Recipe Full(long pretrain = 7, long cpt = 4, long rlp = 9, int lanes = 2, long checkpointEvery = 3, long evaluateEvery = 4, long seed = 1) => new()
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
            Stage("rlp", StageKind.Rlp, "pretrain", rlp, checkpointEvery, evaluateEvery, lanes),
        ],
        Compare = new CompareSettings { Corpus = "arithmetic", Problems = 20, ProblemsWhileTraining = 5 },
    };

    public static StageSettings Stage(string id, StageKind kind, string? from, long steps, long checkpointEvery, long evaluateEvery, int lanes) => new()
    {
        Id = id,
        Kind = kind,
        From = from,
        Steps = steps,
        BatchSize = 4,
        Data = [new MixturePart("arithmetic", 1)],
        Optimizer = new OptimizerSettings { LearningRate = 1e-3 },
        Rlp = kind == StageKind.Rlp ? new RlpSettings { GroupSize = 3, Lanes = lanes } : null,
        CheckpointEvery = checkpointEvery,
        EvaluateEvery = evaluateEvery,
    };
}
