using Rlp.Models;
using Rlp.Training.Recipes;

namespace Rlp.Training.Engines.Torch;

/// <summary>The engines on libtorch.</summary>
public sealed class TorchEngineFactory : IEngineFactory
{
    public long ArenaLength(Recipe recipe) => Decoder.Layout(RecipeNetwork.Config(recipe, RecipeNetwork.Tokenizer(recipe))).Length;

    public IDataEngine OpenData(StageContext context) => new CorpusDataEngine(context);

    public ILearnerEngine OpenLearner(StageContext context, CheckpointReference? checkpoint)
    {
        IntraOpThreads.Use(context.Threads);
        return new TorchLearnerEngine(context, checkpoint);
    }

    public ITeacherEngine OpenTeacher(StageContext context, CheckpointReference? checkpoint)
    {
        IntraOpThreads.Use(context.Threads);
        return new TorchTeacherEngine(context, checkpoint);
    }

    public IRolloutEngine OpenRollout(StageContext context)
    {
        IntraOpThreads.Use(context.Threads);
        return new TorchRolloutEngine(context);
    }

    public IRewardEngine OpenReward(StageContext context)
    {
        IntraOpThreads.Use(context.Threads);
        return new TorchRewardEngine(context);
    }
}
