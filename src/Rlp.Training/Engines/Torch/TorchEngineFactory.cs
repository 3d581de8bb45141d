using Rlp.Training.Planning;
using Rlp.Training.Recipes;

namespace Rlp.Training.Engines.Torch;

/// <summary>The engines on libtorch.</summary>
public sealed class TorchEngineFactory : IEngineFactory
{
    public StageMemory Memory(Recipe recipe) => StageMemory.Of(recipe);

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
