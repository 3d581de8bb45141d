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
        var batch = data.Load(Cursor);
        var step = Step + 1;
        BareStep result;
        if (context.Stage.Rlp is { } settings)
        {
            var (groups, applied) = new RlpStep(rollout, reward!, learner, teacher!, settings).Run(step, batch);
            result = new BareStep(applied, groups);
        }
        else
        {
            result = new BareStep(new NtpStep(learner).Run(step, batch), []);
        }
        (Step, Cursor) = (step, batch.To);
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
