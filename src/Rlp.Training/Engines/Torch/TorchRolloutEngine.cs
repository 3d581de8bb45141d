using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;
using Rlp.Training.Weights;

namespace Rlp.Training.Engines.Torch;

/// <summary>
/// Samples with the policy of the version that is asked for, and evaluates with the newest, wherever they are published. On-policy the learner's
/// own arena is the behaviour policy until its next step.
/// </summary>
internal sealed class TorchRolloutEngine : IRolloutEngine
{
    private readonly StageContext context;
    private readonly ITokenizer tokenizer;
    private readonly DecoderConfig config;
    private readonly WeightReader policies;
    private readonly Dictionary<ParameterArena, Policy> byArena = [];
    private GroupPosition[]? problems;

    public TorchRolloutEngine(StageContext context)
    {
        this.context = context;
        tokenizer = RecipeNetwork.Tokenizer(context.Recipe);
        config = RecipeNetwork.Config(context.Recipe, tokenizer);
        policies = context.Weights.Reader(
            context.RunId, WeightNames.Policy, Decoder.Layout(config), RecipeNetwork.Dtype(context.Recipe), versions: (context.Stage.Rlp?.Staleness ?? 0) + 1);
    }

    public IReadOnlyList<SampledGroup> Sample(long step, long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? policy = null)
    {
        var settings = context.Stage.Rlp ?? throw new InvalidOperationException($"stage '{context.Stage.Id}' samples no thoughts");
        using var read = policies.Read(policyVersion, policy);
        var behaviour = In(read.Arena);
        behaviour.Sampler ??= new ThoughtSampler(behaviour.Decoder, tokenizer, context.Recipe.Seed, settings.Sampling);
        return [.. behaviour.Sampler.Sample(step, positions, settings.GroupSize).Select(g => g with { PolicyVersion = policyVersion })];
    }

    public EvaluationResult Evaluate(int problems, WeightReference? policy = null)
    {
        var compare = context.Recipe.Compare ?? throw new InvalidOperationException($"recipe '{context.Recipe.Name}' has no compare settings");
        using var read = policies.Read(null, policy);
        var evaluated = In(read.Arena);
        evaluated.Evaluation ??= new HeldOutEvaluation(evaluated.Decoder, tokenizer, compare, context.Recipe.Seed, this.problems ??= Problems(compare));
        return evaluated.Evaluation.Run(problems);
    }

    private Policy In(ParameterArena arena)
    {
        if (!byArena.TryGetValue(arena, out var policy)) byArena.Add(arena, policy = new Policy(Decoder.Create(config, arena)));
        return policy;
    }

    private GroupPosition[] Problems(CompareSettings compare) =>
        [.. StageCorpora.Problems(context.Recipe, compare, tokenizer, Math.Max(compare.Problems, compare.ProblemsWhileTraining))
            .Select((p, i) => new GroupPosition(i, p.Prefix, p.NextToken))];

    public void Dispose()
    {
        foreach (var policy in byArena.Values) policy.Dispose();
        policies.Dispose();
    }

    /// <summary>What works with the weights in one arena, whichever they are.</summary>
    private sealed class Policy(IDecoder decoder) : IDisposable
    {
        public IDecoder Decoder => decoder;

        public ThoughtSampler? Sampler { get; set; }

        public HeldOutEvaluation? Evaluation { get; set; }

        public void Dispose()
        {
            Evaluation?.Dispose();
            Sampler?.Dispose();
            decoder.Dispose();
        }
    }
}
