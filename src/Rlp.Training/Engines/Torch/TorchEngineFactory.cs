using Rlp.Models;
using Rlp.Training.Recipes;
using static TorchSharp.torch;

namespace Rlp.Training.Engines.Torch;

/// <summary>The engines on libtorch.</summary>
public sealed class TorchEngineFactory : IEngineFactory
{
    public long ArenaLength(Recipe recipe) => Decoder.Layout(RecipeNetwork.Config(recipe, RecipeNetwork.Tokenizer(recipe))).Length;

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
}
