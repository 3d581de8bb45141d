using Rlp.Corpora;
using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Checkpoints;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Engines.Torch;

/// <summary>Owns the policy's arena and its optimizer; publishes the policy and, where steps are sampled ahead, its last versions.</summary>
internal sealed class TorchLearnerEngine : ILearnerEngine
{
    private readonly StageContext context;
    private readonly ITokenizer tokenizer;
    private readonly ParameterArena parameters;
    private readonly ParameterArena? reference;
    private readonly PublishedWeights published;
    private readonly PublishedWeights? master; // what a teacher on another node follows, where the network computes in bfloat16
    private readonly IDecoder policy;
    private readonly IDecoder? referencePolicy;
    private readonly Learner learner;

    public TorchLearnerEngine(StageContext context, CheckpointReference? checkpoint)
    {
        this.context = context;
        tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        var config = RecipeNetwork.Config(context.Recipe, tokenizer);
        var dtype = RecipeNetwork.Dtype(context.Recipe);
        parameters = new ParameterArena(Decoder.Layout(config), trainable: true, dtype: dtype);
        policy = Decoder.Create(config, parameters);
        if (context.Stage.Rlp is { Beta: > 0 })
        {
            reference = new ParameterArena(parameters.Layout, trainable: false, dtype: dtype);
            referencePolicy = Decoder.Create(config, reference);
        }
        learner = new Learner(policy, tokenizer, context.Stage, referencePolicy);
        published = new PublishedWeights(parameters, context.Stage.Rlp?.Staleness ?? 0, context.Weights.Serves);
        if (context.Weights.Serves && !ReferenceEquals(parameters.Master, parameters.Values))
            master = new PublishedWeights(parameters, staleness: 0, served: true, master: true);
        try
        {
            Restore(checkpoint);
        }
        catch
        {
            Dispose();
            throw;
        }
        Take(null);
        context.Weights.Publish(context.RunId, WeightNames.Policy, published);
        if (master is not null) context.Weights.Publish(context.RunId, WeightNames.MasterOf(WeightNames.Policy), master);
    }

    public long PolicyVersion => learner.Optimizer.Steps;

    public AppliedStep ApplyRlp(long step, IReadOnlyList<ScoredGroup> groups) => Apply(() => learner.ApplyRlp(step, groups));

    public AppliedStep ApplyNtp(long step, IReadOnlyList<int[]> documents) => Apply(() => learner.ApplyNtp(step, documents));

    private AppliedStep Apply(Func<AppliedStep> step)
    {
        published.Change();
        master?.Change();
        var applied = step();
        Take(applied.ParametersSha256);
        return applied;
    }

    /// <param name="sha256">Of the parameters, where it is known.</param>
    private void Take(string? sha256)
    {
        published.Take(PolicyVersion, sha256);
        master?.Take(PolicyVersion, sha256);
    }

    public void WriteCheckpoint(string folder)
    {
        Directory.CreateDirectory(folder);
        SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Policy), parameters);
        SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Optimizer),
            [("exp_avg", learner.Optimizer.FirstMoment.alias()), ("exp_avg_sq", learner.Optimizer.SecondMoment.alias())]);
        if (reference is not null) SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Reference), reference);
        foreach (var version in OlderVersions())
            SafeTensors.Save(Path.Combine(folder, CheckpointFolder.Behaviour(version)), published.At(version));
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
                foreach (var version in OlderVersions())
                    published.Restore(version, arena => SafeTensors.Load(Path.Combine(checkpoint.Path, CheckpointFolder.Behaviour(version)), arena));
                return;
            }
        }
        reference?.CopyFrom(parameters);
    }

    /// <summary>The versions before the newest that later steps are sampled with; none on-policy.</summary>
    private IEnumerable<long> OlderVersions()
    {
        for (var version = context.Stage.Rlp?.BehaviourVersion(PolicyVersion + 1) ?? PolicyVersion; version < PolicyVersion; version++)
            yield return version;
    }

    public void Dispose()
    {
        context.Weights.Withdraw(context.RunId, WeightNames.Policy, published);
        if (master is not null) context.Weights.Withdraw(context.RunId, WeightNames.MasterOf(WeightNames.Policy), master);
        published.Dispose();
        master?.Dispose();
        learner.Dispose();
        policy.Dispose();
        referencePolicy?.Dispose();
        reference?.Dispose();
        parameters.Dispose();
        NativeHeap.Trim(); // of all engines' threads: readers of the weights are closed before the learner
    }
}
