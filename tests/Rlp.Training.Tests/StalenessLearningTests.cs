using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Planning;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Tests;

/// <summary>A run whose thoughts are worth the share of sevens in them: what it should learn is plain to see.</summary>
public sealed class StalenessLearningTests : IDisposable
{
    private const int Steps = 40;

    private readonly string folder = Directory.CreateTempSubdirectory("rlp-sevens-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void A_policy_that_learns_from_older_thoughts_learns_what_is_worth_thinking(int staleness)
    {
        var tiny = TinyRecipes.Arithmetic(staleness: staleness);
        var recipe = tiny with
        {
            Stages = [.. tiny.Stages.Select(s => s with { Steps = Steps, BatchSize = 16, Optimizer = new OptimizerSettings { LearningRate = 1e-2 } })],
        };
        using var loop = new BareLoop(new Sevens(), TinyRecipes.Context(recipe, "rlp", folder));
        double[] sevens = [.. Enumerable.Range(0, Steps).Select(_ => loop.Next().Applied.Metrics["rlp/evidence_policy"])];
        Assert.InRange(sevens[0], 0, 0.1);
        Assert.InRange(sevens[^5..].Average(), 0.75, 5.0 / 6); // six tokens, the last of which is the end marker
    }

    private sealed class Sevens : IEngineFactory
    {
        private readonly TorchEngineFactory torch = new();

        public StageMemory Memory(Recipe recipe) => torch.Memory(recipe);

        public IDataEngine OpenData(StageContext context) => torch.OpenData(context);

        public ILearnerEngine OpenLearner(StageContext context, CheckpointReference? checkpoint) => torch.OpenLearner(context, checkpoint);

        public ITeacherEngine OpenTeacher(StageContext context, CheckpointReference? checkpoint) => torch.OpenTeacher(context, checkpoint);

        public IRolloutEngine OpenRollout(StageContext context) => new Rollout(torch.OpenRollout(context), RecipeNetwork.Tokenizer(context.Recipe).Encode("7")[0]);

        public IRewardEngine OpenReward(StageContext context) => torch.OpenReward(context);
    }

    private sealed class Rollout(IRolloutEngine torch, int seven) : IRolloutEngine
    {
        public IReadOnlyList<SampledGroup> Sample(long step, long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? policy = null) =>
            [.. torch.Sample(step, policyVersion, positions, policy).Select(g => g with { Thoughts = [.. g.Thoughts.Select(Worth)] })];

        public EvaluationResult Evaluate(int problems, WeightReference? policy = null) => torch.Evaluate(problems, policy);

        public void Dispose() => torch.Dispose();

        private SampledThought Worth(SampledThought thought) => thought with { PredictedEvidence = thought.Tokens.Average(t => t == seven ? 1.0 : 0.0) };
    }
}
