using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;

namespace Rlp.Training.Engines.Torch;

/// <summary>
/// Evaluates with the policy published on this node, and samples with it too on-policy: it is the behaviour policy until the learner's next
/// step. Where steps are sampled ahead it samples with the published version that is asked for.
/// </summary>
internal sealed class TorchRolloutEngine : IRolloutEngine
{
    private readonly StageContext context;
    private readonly ITokenizer tokenizer;
    private readonly IDecoder policy;
    private readonly WeightHistory? history;
    private readonly List<IDecoder> behaviours = [];
    private readonly Dictionary<ParameterArena, ThoughtSampler> samplers = [];
    private HeldOutEvaluation? evaluation;

    public TorchRolloutEngine(StageContext context)
    {
        this.context = context;
        tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        var config = RecipeNetwork.Config(context.Recipe, tokenizer);
        policy = Decoder.Create(config, context.Weights.Get<ParameterArena>(context.RunId, TorchLearnerEngine.Published));
        if (context.Stage.Rlp is not { } rlp) return;
        if (rlp.Staleness > 0)
        {
            history = context.Weights.Get<WeightHistory>(context.RunId, TorchLearnerEngine.PublishedHistory);
            behaviours.AddRange(history.Arenas.Select(arena => Decoder.Create(config, arena)));
        }
        IReadOnlyList<IDecoder> sampling = history is null ? [policy] : behaviours;
        foreach (var behaviour in sampling)
            samplers[behaviour.Parameters] = new ThoughtSampler(behaviour, tokenizer, context.Recipe.Seed, rlp.Sampling);
    }

    public IReadOnlyList<SampledGroup> Sample(long step, long policyVersion, IReadOnlyList<GroupPosition> positions)
    {
        var settings = context.Stage.Rlp ?? throw new InvalidOperationException($"stage '{context.Stage.Id}' samples no thoughts");
        var sampler = samplers[history?.At(policyVersion) ?? policy.Parameters];
        return [.. sampler.Sample(step, positions, settings.GroupSize).Select(g => g with { PolicyVersion = policyVersion })];
    }

    public EvaluationResult Evaluate(int problems)
    {
        var compare = context.Recipe.Compare ?? throw new InvalidOperationException($"recipe '{context.Recipe.Name}' has no compare settings");
        evaluation ??= new HeldOutEvaluation(policy, tokenizer, compare, context.Recipe.Seed, Problems(compare));
        return evaluation.Run(problems);
    }

    private GroupPosition[] Problems(CompareSettings compare) =>
        [.. StageCorpora.Problems(context.Recipe, compare, tokenizer, Math.Max(compare.Problems, compare.ProblemsWhileTraining))
            .Select((p, i) => new GroupPosition(i, p.Prefix, p.NextToken))];

    public void Dispose()
    {
        evaluation?.Dispose();
        foreach (var sampler in samplers.Values) sampler.Dispose();
        foreach (var behaviour in behaviours) behaviour.Dispose();
        policy.Dispose();
    }
}
