using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;
using static TorchSharp.torch;

namespace Rlp.Training.Engines.Torch;

/// <summary>The engines on libtorch.</summary>
public sealed class TorchEngineFactory : IEngineFactory
{
    public long ArenaLength(Recipe recipe) => Qwen3Decoder.Layout(Config(recipe, Tokenizer(recipe))).Length;

    public IDataEngine OpenData(StageContext context) => new CorpusDataEngine(context);

    public ILearnerEngine OpenLearner(StageContext context, CheckpointReference? checkpoint)
    {
        UseThreads(context.Threads);
        return new TorchLearnerEngine(context, checkpoint);
    }

    public ITeacherEngine OpenTeacher(StageContext context, CheckpointReference? checkpoint)
    {
        UseThreads(context.Threads);
        return new TorchTeacherEngine(context, checkpoint);
    }

    public IRolloutEngine OpenRollout(StageContext context)
    {
        UseThreads(context.Threads);
        return new TorchRolloutEngine(context);
    }

    public IRewardEngine OpenReward(StageContext context)
    {
        UseThreads(context.Threads);
        return new TorchRewardEngine(context);
    }

    /// <summary>libtorch keeps the number of intra-op threads per calling thread; asking first makes it initialise this thread's.</summary>
    private static void UseThreads(int threads)
    {
        _ = get_num_threads();
        set_num_threads(threads);
    }

    internal static ITokenizer Tokenizer(Recipe recipe) => recipe.Tokenizer.Kind switch
    {
        TokenizerKind.Characters => new CharacterTokenizer(recipe.Tokenizer.Characters, recipe.Markers.Begin, recipe.Markers.End),
        TokenizerKind.Bytes => new ByteTokenizer(recipe.Markers.Begin, recipe.Markers.End),
        var kind => throw new ArgumentOutOfRangeException(nameof(recipe), kind, "unknown tokenizer kind"),
    };

    internal static DecoderConfig Config(Recipe recipe, ITokenizer tokenizer) => new Qwen3Config
    {
        VocabularySize = tokenizer.VocabularySize,
        HiddenSize = recipe.Model.HiddenSize,
        IntermediateSize = recipe.Model.IntermediateSize,
        Layers = recipe.Model.Layers,
        AttentionHeads = recipe.Model.AttentionHeads,
        KeyValueHeads = recipe.Model.KeyValueHeads,
        HeadDim = recipe.Model.HeadDim,
        RopeTheta = recipe.Model.RopeTheta,
        RmsNormEps = recipe.Model.RmsNormEps,
        TieWordEmbeddings = recipe.Model.TieWordEmbeddings,
        InitializerRange = recipe.Model.InitializerRange,
    }.Validated($"recipe '{recipe.Name}', model");
}
