using Rlp.Training.Planning;
using Rlp.Training.Recipes;
using TorchSharp;

namespace Rlp.Training.Engines.Torch;

/// <summary>The engines on libtorch.</summary>
/// <param name="device">Where networks lie and compute; null: the CPU.</param>
public sealed class TorchEngineFactory(torch.Device? device = null) : IEngineFactory
{
    private readonly torch.Device device = device ?? torch.CPU;

    public StageMemory Memory(Recipe recipe) => StageMemory.Of(recipe, onCpu: device.type == DeviceType.CPU);

    public IDataEngine OpenData(StageContext context) => new CorpusDataEngine(context);

    public ILearnerEngine OpenLearner(StageContext context, CheckpointReference? checkpoint)
    {
        IntraOpThreads.Use(context.Threads);
        return new TorchLearnerEngine(context, checkpoint, device);
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
