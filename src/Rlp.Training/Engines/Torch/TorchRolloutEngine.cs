using Rlp.Models.Tokenizers;
using Rlp.Models;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;

namespace Rlp.Training.Engines.Torch;

/// <summary>Samples and evaluates with the policy published on this node, which is the behaviour policy until the learner's next step.</summary>
internal sealed class TorchRolloutEngine : IRolloutEngine
{
    private readonly StageContext context;
    private readonly ITokenizer tokenizer;
    private readonly IDecoder policy;
    private readonly ThoughtSampler? sampler;
    private HeldOutEvaluation? evaluation;

    public TorchRolloutEngine(StageContext context)
    {
        this.context = context;
        tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        policy = Decoder.Create(RecipeNetwork.Config(context.Recipe, tokenizer),
            context.Weights.Get<ParameterArena>(context.RunId, TorchLearnerEngine.Published));
        if (context.Stage.Rlp is { } rlp) sampler = new ThoughtSampler(policy, tokenizer, context.Recipe.Seed, rlp.Sampling);
    }

    public IReadOnlyList<SampledGroup> Sample(long step, IReadOnlyList<GroupPosition> positions) =>
        sampler is null
            ? throw new InvalidOperationException($"stage '{context.Stage.Id}' samples no thoughts")
            : sampler.Sample(step, positions, context.Stage.Rlp!.GroupSize);

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
        sampler?.Dispose();
        policy.Dispose();
    }
}
