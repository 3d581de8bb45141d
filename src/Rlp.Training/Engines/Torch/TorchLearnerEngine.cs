using Rlp.Corpora;
using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Checkpoints;
using Rlp.Training.Recipes;

namespace Rlp.Training.Engines.Torch;

/// <summary>
/// Owns the policy's arena and its optimizer; publishes the arena as "policy" and, where steps are sampled ahead, its last versions as "behaviour".
/// </summary>
internal sealed class TorchLearnerEngine : ILearnerEngine
{
    internal const string Published = "policy";
    internal const string PublishedHistory = "behaviour";

    private readonly StageContext context;
    private readonly ITokenizer tokenizer;
    private readonly ParameterArena parameters;
    private readonly ParameterArena? reference;
    private readonly WeightHistory? history;
    private readonly IDecoder policy;
    private readonly IDecoder? referencePolicy;
    private readonly Learner learner;

    public TorchLearnerEngine(StageContext context, CheckpointReference? checkpoint, TorchSharp.torch.Device device)
    {
        this.context = context;
        tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        var config = RecipeNetwork.Config(context.Recipe, tokenizer);
        var dtype = RecipeNetwork.Dtype(context.Recipe);
        parameters = new ParameterArena(Decoder.Layout(config), trainable: true, device, dtype);
        policy = Decoder.Create(config, parameters);
        if (context.Stage.Rlp is { Beta: > 0 })
        {
            reference = new ParameterArena(parameters.Layout, trainable: false, device, dtype);
            referencePolicy = Decoder.Create(config, reference);
        }
        learner = new Learner(policy, tokenizer, context.Stage, referencePolicy);
        if (context.Stage.Rlp is { Staleness: > 0 and var staleness }) history = new WeightHistory(parameters, staleness);
        try
        {
            Restore(checkpoint);
        }
        catch
        {
            Dispose();
            throw;
        }
        history?.Take(PolicyVersion, parameters);
        context.Weights.Publish(context.RunId, Published, parameters);
        if (history is not null) context.Weights.Publish(context.RunId, PublishedHistory, history);
    }

    public long PolicyVersion => learner.Optimizer.Steps;

    public AppliedStep ApplyRlp(long step, IReadOnlyList<ScoredGroup> groups)
    {
        var applied = learner.ApplyRlp(step, groups);
        history?.Take(PolicyVersion, parameters);
        return applied;
    }

    public AppliedStep ApplyNtp(long step, IReadOnlyList<int[]> documents) => learner.ApplyNtp(step, documents);

    public void WriteCheckpoint(string folder)
    {
        Directory.CreateDirectory(folder);
        SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Policy), parameters);
        SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Optimizer),
            [("exp_avg", learner.Optimizer.FirstMoment.alias()), ("exp_avg_sq", learner.Optimizer.SecondMoment.alias())]);
        if (reference is not null) SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Reference), reference);
        if (history is not null)
            for (var version = context.Stage.Rlp!.BehaviourVersion(PolicyVersion + 1); version < PolicyVersion; version++)
                SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Behaviour(version)), history.At(version));
        File.WriteAllText(Path.Combine(folder, CheckpointFolder.ModelConfig), policy.Config.ToJson());
        foreach (var file in RecipeNetwork.CarriedFiles(context.Recipe)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
    }

    public CheckpointReference SealCheckpoint(string folder, long step, DataCursor cursor) => CheckpointFolder.Seal(folder, new CheckpointManifest
    {
        RunId = context.RunId,
        Stage = context.Stage.Id,
        Step = step,
        PolicyVersion = PolicyVersion,
        Cursor = cursor,
        Seed = context.Recipe.Seed,
        RecipeSha256 = context.Recipe.Digest,
        TokenizerFingerprint = tokenizer.Fingerprint,
        ParametersSha256 = parameters.Sha256(),
        Files = [],
    });

    private void Restore(CheckpointReference? checkpoint)
    {
        if (checkpoint is null)
        {
            if (context.Recipe.Model.Path is null) policy.Initialize(context.Recipe.Seed);
            else PretrainedModel.Load(context.Recipe.Model, parameters);
        }
        else
        {
            var manifest = CheckpointFolder.Verify(checkpoint);
            if (manifest.TokenizerFingerprint != tokenizer.Fingerprint)
                throw new CheckpointException($"checkpoint {checkpoint.Path} was made with another tokenizer ({manifest.TokenizerFingerprint}, this run's is {tokenizer.Fingerprint})");
            SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Policy), parameters);
            if (manifest.Stage == context.Stage.Id)
            {
                SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Optimizer),
                    [("exp_avg", learner.Optimizer.FirstMoment), ("exp_avg_sq", learner.Optimizer.SecondMoment)]);
                learner.Optimizer.Steps = manifest.PolicyVersion;
                if (reference is not null) SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Reference), reference);
                if (history is not null)
                    for (var version = context.Stage.Rlp!.BehaviourVersion(PolicyVersion + 1); version < PolicyVersion; version++)
                        history.Fill(version, arena => SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Behaviour(version)), arena));
                return;
            }
        }
        reference?.CopyFrom(parameters);
    }

    public void Dispose()
    {
        context.Weights.Withdraw(context.RunId, Published);
        context.Weights.Withdraw(context.RunId, PublishedHistory);
        learner.Dispose();
        policy.Dispose();
        referencePolicy?.Dispose();
        reference?.Dispose();
        history?.Dispose();
        parameters.Dispose();
        NativeHeap.Trim(); // of all engines' threads: readers of the weights are closed before the learner
    }
}
