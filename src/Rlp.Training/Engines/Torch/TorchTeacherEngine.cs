using Rlp.Models;
using Rlp.Training.Checkpoints;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Engines.Torch;

/// <summary>Owns phi and publishes it; where steps are sampled ahead, its last versions too. Follows the policy wherever it is published.</summary>
internal sealed class TorchTeacherEngine : ITeacherEngine
{
    private readonly StageContext context;
    private readonly RlpSettings settings;
    private readonly WeightReader policies;
    private readonly EmaTeacher teacher;
    private readonly PublishedWeights published;
    private long version;

    public TorchTeacherEngine(StageContext context, CheckpointReference? checkpoint)
    {
        this.context = context;
        settings = context.Stage.Rlp ?? throw new ArgumentException($"stage '{context.Stage.Id}' has no teacher", nameof(context));
        var layout = Decoder.Layout(RecipeNetwork.Config(context.Recipe, RecipeNetwork.Tokenizer(context.Recipe)));
        var dtype = RecipeNetwork.Dtype(context.Recipe);
        policies = context.Weights.Reader(context.RunId, WeightNames.Policy, layout, dtype, versions: settings.Staleness + 1, master: true);
        try
        {
            using (var policy = policies.Read(null, context.Policy)) teacher = new EmaTeacher(policy.Arena, settings.Tau, dtype);
            published = new PublishedWeights(teacher.Parameters, settings.Staleness, context.Weights.Serves);
            if (checkpoint is not null && checkpoint.Stage == context.Stage.Id)
            {
                version = checkpoint.Step;
                teacher.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Teacher)); // verified by the learner
                foreach (var older in OlderVersions())
                    published.Restore(older, arena => SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.BehaviourTeacher(older)), arena));
            }
        }
        catch
        {
            published?.Dispose();
            teacher?.Dispose();
            policies.Dispose();
            throw;
        }
        published.Take(version);
        context.Weights.Publish(context.RunId, WeightNames.Teacher, published);
    }

    public void Update(WeightReference? policy = null)
    {
        using var followed = policies.Read(null, policy);
        published.Change();
        teacher.Update(followed.Arena);
        published.Take(++version);
    }

    public void WriteCheckpoint(string folder)
    {
        Directory.CreateDirectory(folder);
        teacher.Save(Path.Combine(folder, CheckpointFolder.Teacher));
        foreach (var older in OlderVersions())
            SafeTensors.Save(Path.Combine(folder, CheckpointFolder.BehaviourTeacher(older)), published.At(older));
    }

    /// <summary>The versions before the newest that later steps are scored with; none on-policy.</summary>
    private IEnumerable<long> OlderVersions()
    {
        for (var older = settings.BehaviourVersion(version + 1); older < version; older++)
            yield return older;
    }

    public void Dispose()
    {
        context.Weights.Withdraw(context.RunId, WeightNames.Teacher, published);
        published.Dispose();
        teacher.Dispose();
        policies.Dispose();
    }
}
