using Rlp.Models;
using Rlp.Training.Checkpoints;

namespace Rlp.Training.Engines.Torch;

/// <summary>Owns phi and publishes it as "teacher"; where steps are sampled ahead, its last versions as "behaviour-teacher".</summary>
internal sealed class TorchTeacherEngine : ITeacherEngine
{
    internal const string Published = "teacher";
    internal const string PublishedHistory = "behaviour-teacher";

    private readonly StageContext context;
    private readonly EmaTeacher teacher;
    private readonly WeightHistory? history;
    private long version;

    public TorchTeacherEngine(StageContext context, CheckpointReference? checkpoint)
    {
        this.context = context;
        var settings = context.Stage.Rlp ?? throw new ArgumentException($"stage '{context.Stage.Id}' has no teacher", nameof(context));
        teacher = new EmaTeacher(context.Weights.Get<ParameterArena>(context.RunId, TorchLearnerEngine.Published), settings.Tau);
        if (settings.Staleness > 0) history = new WeightHistory(teacher.Parameters, settings.Staleness);
        if (checkpoint is not null && checkpoint.Stage == context.Stage.Id)
        {
            version = checkpoint.Step;
            teacher.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Teacher)); // verified by the learner
            if (history is not null)
                for (var older = settings.BehaviourVersion(version + 1); older < version; older++)
                    history.Fill(older, arena => SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.BehaviourTeacher(older)), arena));
        }
        history?.Take(version, teacher.Parameters);
        context.Weights.Publish(context.RunId, Published, teacher.Parameters);
        if (history is not null) context.Weights.Publish(context.RunId, PublishedHistory, history);
    }

    public void Update()
    {
        teacher.Update();
        history?.Take(++version, teacher.Parameters);
    }

    public void WriteCheckpoint(string folder)
    {
        Directory.CreateDirectory(folder);
        teacher.Save(Path.Combine(folder, CheckpointFolder.Teacher));
        if (history is not null)
            for (var older = context.Stage.Rlp!.BehaviourVersion(version + 1); older < version; older++)
                SafeTensors.Save(Path.Combine(folder, CheckpointFolder.BehaviourTeacher(older)), history.At(older));
    }

    public void Dispose()
    {
        context.Weights.Withdraw(context.RunId, Published);
        context.Weights.Withdraw(context.RunId, PublishedHistory);
        history?.Dispose();
        teacher.Dispose();
    }
}
