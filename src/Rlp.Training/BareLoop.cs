using Rlp.Corpora;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;

namespace Rlp.Training;

/// <summary>What a step of the bare loop left behind; the groups are empty in an NTP stage.</summary>
public sealed record BareStep(AppliedStep Applied, IReadOnlyList<ScoredGroup> Groups);

/// <summary>
/// A stage on the calling thread, without actors and without a journal: what the actor system must reproduce bit for bit, and what its cost is
/// measured against. With a staleness too each step is sampled right before it is learned, by the older policy that is its own.
/// </summary>
public sealed class BareLoop : IDisposable
{
    private readonly StageContext context;
    private readonly IDataEngine data;
    private readonly ILearnerEngine learner;
    private readonly ITeacherEngine? teacher;
    private readonly IRolloutEngine rollout;
    private readonly IRewardEngine? reward;

    /// <param name="checkpoint">Of this stage to go on from, of the stage before to start from, or null to start from the recipe's model folder or random weights.</param>
    /// <param name="cursor">Where the data of the next step begin.</param>
    public BareLoop(IEngineFactory engines, StageContext context, CheckpointReference? checkpoint = null, DataCursor cursor = default)
    {
        (this.context, Cursor) = (context, cursor);
        Step = checkpoint?.Stage == context.Stage.Id ? checkpoint.Step : 0;
        data = engines.OpenData(context);
        learner = engines.OpenLearner(context, checkpoint);
        rollout = engines.OpenRollout(context);
        if (context.Stage.Rlp is null) return;
        teacher = engines.OpenTeacher(context, checkpoint);
        reward = engines.OpenReward(context);
    }

    /// <summary>The last applied step.</summary>
    public long Step { get; private set; }

    public DataCursor Cursor { get; private set; }

    public BareStep Next()
    {
        var batch = Load();
        return Applied(batch, context.Stage.Rlp is null ? Documents(batch) : Of(Thoughts.Run(Step + 1, batch)));
    }

    /// <summary>The data of the next step.</summary>
    public StepData Load() => data.Load(Cursor);

    /// <summary>The next step by a plan that was made elsewhere, on the data of <see cref="Load"/>.</summary>
    /// <param name="version">Optimizer steps in the behaviour policy; unused in an NTP stage.</param>
    /// <param name="lanes">The group ids of each lane, ascending; empty in an NTP stage.</param>
    /// <exception cref="KeyNotFoundException">A lane names a group that the data does not hold.</exception>
    public BareStep Next(StepData batch, long version, IEnumerable<IReadOnlyList<int>> lanes)
    {
        if (context.Stage.Rlp is null) return Applied(batch, Documents(batch));
        var positions = batch.Positions.ToDictionary(p => p.Group);
        return Applied(batch, Of(Thoughts.Run(Step + 1, version, [.. lanes.Select(lane => lane.Select(group => positions[group]).ToArray())])));
    }

    private RlpStep Thoughts => new(rollout, reward!, learner, teacher!, context.Stage.Rlp!);

    private BareStep Documents(StepData batch) => new(new NtpStep(learner).Run(Step + 1, batch), []);

    private static BareStep Of(RlpStepResult result) => new(result.Applied, result.Groups);

    private BareStep Applied(StepData batch, BareStep result)
    {
        (Step, Cursor) = (Step + 1, batch.To);
        return result;
    }

    public EvaluationResult Evaluate(int problems) => rollout.Evaluate(problems);

    public CheckpointReference Save()
    {
        var folder = CheckpointFolder.UnfinishedPath(context.RunFolder, context.Stage.Id, Step);
        learner.WriteCheckpoint(folder);
        teacher?.WriteCheckpoint(folder);
        return learner.SealCheckpoint(folder, Step, Cursor);
    }

    public void Dispose()
    {
        reward?.Dispose();
        teacher?.Dispose();
        rollout.Dispose();
        learner.Dispose();
        data.Dispose();
    }
}
