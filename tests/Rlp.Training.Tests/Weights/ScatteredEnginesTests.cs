using System.Globalization;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Tests.Weights;

/// <summary>Learner, teacher and those who read their weights on three nodes give the bits that they give on one.</summary>
public sealed class ScatteredEnginesTests : IDisposable
{
    private const int Steps = 6, Cut = 3, Problems = 10;

    private readonly string folder = Directory.CreateTempSubdirectory("rlp-scattered-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(0, WeightType.Float32)]
    [InlineData(1, WeightType.Float32)]
    [InlineData(2, WeightType.Float32)]
    [InlineData(0, WeightType.Bfloat16)] // the teacher follows float32 weights, those who sample read bfloat16 ones
    [InlineData(2, WeightType.Bfloat16)]
    public void A_run_on_three_nodes_that_is_cut_and_goes_on_has_the_series_of_one_on_one_node(int staleness, WeightType dtype)
    {
        var recipe = TinyRecipes.Arithmetic(lanes: 2, staleness: staleness);
        recipe = recipe with { Model = recipe.Model with { Dtype = dtype } };

        using var loop = new BareLoop(new TorchEngineFactory(), TinyRecipes.Context(recipe, "rlp", folder));
        List<string> expected = [];
        for (var step = 1; step <= Steps; step++) expected.Add(Line(loop.Next(), loop.Evaluate(Problems)));

        List<string> series = [];
        CheckpointReference checkpoint;
        Corpora.DataCursor cursor;
        using (var first = new Scattered(recipe, folder, null, default))
        {
            for (var step = 1; step <= Cut; step++) series.Add(first.Next());
            (checkpoint, cursor) = (first.Save(), first.Cursor);
        }
        using var second = new Scattered(recipe, folder, checkpoint, cursor);
        for (var step = Cut + 1; step <= Steps; step++) series.Add(second.Next());

        Assert.Equal(expected, series);
        Assert.Equal(Steps, series.Distinct().Count());
        Assert.True(second.Transfers > 0);
    }

    private static string Line(BareStep step, EvaluationResult evaluation) => Line(step.Applied, step.Groups, evaluation);

    private static string Line(AppliedStep applied, IEnumerable<ScoredGroup> groups, EvaluationResult evaluation) => string.Create(
        CultureInfo.InvariantCulture,
        $"{applied.Step} {applied.Loss:R} {applied.ParametersSha256} {string.Join(",", groups.Select(g => g.Sampled.ThoughtsSha256()))} "
            + $"{string.Join(",", groups.SelectMany(g => g.Rewards()))} {evaluation.ThinkAccuracy:R} {evaluation.PredictedEvidence:R}");

    /// <summary>The learner on one node, the teacher on the second, rollout and reward on the third.</summary>
    private sealed class Scattered : IDisposable
    {
        private const string Run = "test";

        private readonly LoopbackChannel channel = new();
        private readonly NodeWeights learners;
        private readonly NodeWeights teachers;
        private readonly RlpSettings settings;
        private readonly IDataEngine data;
        private readonly ILearnerEngine learner;
        private readonly ITeacherEngine teacher;
        private readonly IRolloutEngine rollout;
        private readonly IRewardEngine reward;
        private readonly StageContext context;
        private long step;

        public Scattered(Recipe recipe, string folder, CheckpointReference? checkpoint, Corpora.DataCursor cursor)
        {
            (learners, teachers, var readers) = (new NodeWeights(channel), new NodeWeights(channel), new NodeWeights(channel));
            channel.Owner = name => name == WeightNames.Teacher ? teachers : learners;
            context = TinyRecipes.Context(recipe, "rlp", folder) with { Weights = learners };
            settings = context.Stage.Rlp!;
            (step, Cursor) = (checkpoint?.Step ?? 0, cursor);
            var engines = new TorchEngineFactory();
            data = engines.OpenData(context);
            rollout = engines.OpenRollout(context with { Weights = readers }); // before there are weights
            reward = engines.OpenReward(context with { Weights = readers });
            learner = engines.OpenLearner(context, checkpoint);
            teacher = engines.OpenTeacher(context with { Weights = teachers, Policy = Policy(step) }, checkpoint);
        }

        public Corpora.DataCursor Cursor { get; private set; }

        public int Transfers => channel.Opened;

        public string Next()
        {
            var batch = data.Load(Cursor);
            var version = settings.BehaviourVersion(++step);
            List<ScoredGroup> groups = [];
            foreach (var lane in LaneSlices.Of(batch.Positions.Count, settings.Lanes))
            {
                GroupPosition[] positions = [.. batch.Positions.Take(lane)];
                var sampled = rollout.Sample(step, version, positions, Policy(version));
                var evidence = reward.Score(version, positions, teachers.References(Run, WeightNames.Teacher).Single(r => r.Version == version));
                groups.AddRange(sampled.Zip(evidence, (s, e) => new ScoredGroup(s, e)));
            }
            var applied = learner.ApplyRlp(step, groups);
            teacher.Update(Policy(step));
            Cursor = batch.To;
            return Line(applied, groups, rollout.Evaluate(Problems, Policy(step)));
        }

        public CheckpointReference Save()
        {
            var unfinished = CheckpointFolder.UnfinishedPath(context.RunFolder, context.Stage.Id, step);
            learner.WriteCheckpoint(unfinished);
            teacher.WriteCheckpoint(unfinished);
            return learner.SealCheckpoint(unfinished, step, Cursor);
        }

        private WeightReference Policy(long version) => learners.References(Run, WeightNames.Policy).Single(r => r.Version == version);

        public void Dispose()
        {
            reward.Dispose();
            rollout.Dispose();
            teacher.Dispose();
            learner.Dispose();
            data.Dispose();
        }
    }
}
