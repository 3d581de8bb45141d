using Rlp.Models;
using Rlp.Training.Checkpoints;

namespace Rlp.Training.Engines.Torch;

/// <summary>Owns phi and publishes it as "teacher".</summary>
internal sealed class TorchTeacherEngine : ITeacherEngine
{
    internal const string Published = "teacher";

    private readonly StageContext context;
    private readonly EmaTeacher teacher;

    public TorchTeacherEngine(StageContext context, CheckpointReference? checkpoint)
    {
        this.context = context;
        var settings = context.Stage.Rlp ?? throw new ArgumentException($"stage '{context.Stage.Id}' has no teacher", nameof(context));
        teacher = new EmaTeacher(context.Weights.Get<ParameterArena>(context.RunId, TorchLearnerEngine.Published), settings.Tau);
        if (checkpoint is not null && checkpoint.Stage == context.Stage.Id)
            teacher.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Teacher)); // verified by the learner
        context.Weights.Publish(context.RunId, Published, teacher.Parameters);
    }

    public void Update() => teacher.Update();

    public void WriteCheckpoint(string folder)
    {
        Directory.CreateDirectory(folder);
        teacher.Save(Path.Combine(folder, CheckpointFolder.Teacher));
    }

    public void Dispose()
    {
        context.Weights.Withdraw(context.RunId, Published);
        teacher.Dispose();
    }
}
