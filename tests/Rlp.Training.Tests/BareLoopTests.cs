using Rlp.Models;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;

namespace Rlp.Training.Tests;

public sealed class BareLoopTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-loop-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private BareLoop Open(string stage, CheckpointReference? checkpoint = null, Corpora.DataCursor cursor = default, Recipe? recipe = null) =>
        new(new TorchEngineFactory(), TinyRecipes.Context(recipe ?? TinyRecipes.Arithmetic(), stage, folder), checkpoint, cursor);

    private static string Series(IEnumerable<BareStep> steps) => string.Join("\n", steps.Select(s =>
        $"{s.Applied.Step} {s.Applied.Loss:R} {s.Applied.GradNorm:R} {s.Applied.ParametersSha256} {ThoughtDigest.OfStep(s.Groups.Select(g => (g.Sampled.Position.Group, g.Sampled.ThoughtsSha256())))} "
        + string.Join(",", s.Groups.SelectMany(g => g.Rewards()))));

    private static List<BareStep> Steps(BareLoop loop, int count) => [.. Enumerable.Range(0, count).Select(_ => loop.Next())];

    [Theory]
    [InlineData("pretrain")]
    [InlineData("rlp")]
    public void The_same_recipe_gives_the_same_bits_and_another_seed_others(string stage)
    {
        using var one = Open(stage);
        using var again = Open(stage);
        using var other = Open(stage, recipe: TinyRecipes.Arithmetic(seed: 2));
        var series = Series(Steps(one, 3));

        Assert.Equal(series, Series(Steps(again, 3)));
        Assert.NotEqual(series, Series(Steps(other, 3)));
    }

    [Theory]
    [InlineData("pretrain", 0.0, 0, WeightType.Float32)]
    [InlineData("rlp", 0.0, 0, WeightType.Float32)]
    [InlineData("rlp", 0.1, 0, WeightType.Float32)] // with a reference policy, which must come back too
    [InlineData("rlp", 0.0, 1, WeightType.Float32)] // with the older policies and teachers that later steps are sampled and scored with
    [InlineData("rlp", 0.0, 3, WeightType.Float32)]
    [InlineData("pretrain", 0.0, 0, WeightType.Bfloat16)] // the float32 weights behind those of the passes as well
    [InlineData("rlp", 0.1, 2, WeightType.Bfloat16)]
    public void A_run_cut_at_a_checkpoint_goes_on_as_if_it_had_not_been(string stage, double beta, int staleness, WeightType dtype)
    {
        var recipe = TinyRecipes.Arithmetic(beta: beta, staleness: staleness);
        recipe = recipe with { Model = recipe.Model with { Dtype = dtype } };
        using var whole = Open(stage, recipe: recipe);
        var expected = Series(Steps(whole, 6));

        CheckpointReference checkpoint;
        Corpora.DataCursor cursor;
        List<BareStep> before;
        using (var first = Open(stage, recipe: recipe))
        {
            before = Steps(first, 2);
            (checkpoint, cursor) = (first.Save(), first.Cursor);
        }
        using var second = Open(stage, checkpoint, cursor, recipe);

        Assert.Equal(expected, Series([.. before, .. Steps(second, 4)]));
    }

    /// <summary>What a staleness means, written out: the thoughts and S_ema of step s are those of a run that stopped after step s - 1 - k.</summary>
    [Fact]
    public void With_a_staleness_of_k_step_s_is_sampled_and_scored_by_policy_and_teacher_after_step_s_minus_1_minus_k()
    {
        const int Steps = 6, Staleness = 2;
        var data = new List<StepData>();
        var applied = new List<BareStep>();
        var policies = new List<ParameterArena>();
        var teachers = new List<ParameterArena>();
        var recipe = TinyRecipes.Arithmetic(staleness: Staleness);
        var context = TinyRecipes.Context(recipe, "rlp", folder);
        using (var loop = new BareLoop(new TorchEngineFactory(), context))
        using (var corpus = new TorchEngineFactory().OpenData(context))
            for (var step = 1; step <= Steps; step++)
            {
                policies.Add(Copy("policy"));
                teachers.Add(Copy("teacher"));
                data.Add(corpus.Load(loop.Cursor));
                applied.Add(loop.Next());
            }

        // The live weights of an on-policy stage, set by hand to those of the step.
        var tokenizer = RecipeNetwork.Tokenizer(recipe);
        var rlp = recipe.Stage("rlp").Rlp!;
        for (var step = 1; step <= Steps; step++)
        {
            var version = Math.Max(0, step - 1 - Staleness);
            using var policy = Decoder.Create(RecipeNetwork.Config(recipe, tokenizer), policies[version]);
            using var teacher = Decoder.Create(RecipeNetwork.Config(recipe, tokenizer), teachers[version]);
            using var sampler = new ThoughtSampler(policy, tokenizer, recipe.Seed, rlp.Sampling);
            var sampled = sampler.Sample(step, data[step - 1].Positions, rlp.GroupSize);
            var scored = new EvidenceScorer(teacher, tokenizer, 16_384).WithoutThought(data[step - 1].Positions);
            Assert.Equal(sampled.Select(g => g.ThoughtsSha256()), applied[step - 1].Groups.Select(g => g.Sampled.ThoughtsSha256()));
            Assert.Equal(scored, applied[step - 1].Groups.Select(g => g.TeacherEvidence));
            Assert.Equal(step - 1 - version, applied[step - 1].Applied.Metrics["rlp/staleness"]);
        }
        foreach (var arena in policies.Concat(teachers)) arena.Dispose();

        ParameterArena Copy(string name)
        {
            var live = context.Weights.Find(context.RunId, name)!.At(null);
            var copy = new ParameterArena(live.Layout, trainable: false);
            copy.CopyFrom(live);
            return copy;
        }
    }

    [Fact]
    public void Sampler_and_learner_agree_on_policy_and_differ_by_the_policys_change_with_a_staleness()
    {
        using var onPolicy = Open("rlp");
        using var stale = Open("rlp", recipe: TinyRecipes.Arithmetic(staleness: 1));
        const string Mean = "sampling/sampling_logp_difference/mean", Max = "sampling/sampling_logp_difference/max";
        foreach (var step in Steps(onPolicy, 4))
        {
            Assert.InRange(step.Applied.Metrics[Mean], 0, 1e-6);
            Assert.InRange(step.Applied.Metrics[Max], step.Applied.Metrics[Mean], 1e-5);
        }
        var steps = Steps(stale, 4);
        Assert.InRange(steps[0].Applied.Metrics[Mean], 0, 1e-6); // step 1 knows no older policy
        foreach (var step in steps.Skip(1))
        {
            Assert.InRange(step.Applied.Metrics[Mean], 1e-4, 0.5);
            Assert.InRange(step.Applied.Metrics[Max], step.Applied.Metrics[Mean] * 1.01, 5);
        }
    }

    [Theory]
    [InlineData(0, new long[0])]
    [InlineData(1, new long[] { 3 })]
    [InlineData(2, new long[] { 2, 3 })]
    [InlineData(8, new long[] { 0, 1, 2, 3 })]
    public void A_checkpoint_holds_the_older_versions_that_later_steps_need_and_no_others(int staleness, long[] versions)
    {
        using var loop = Open("rlp", recipe: TinyRecipes.Arithmetic(staleness: staleness));
        Steps(loop, 4);
        var files = CheckpointFolder.Verify(loop.Save()).Files.Keys.Where(f => f.StartsWith("behaviour", StringComparison.Ordinal));
        Assert.Equal(versions.SelectMany(v => new[] { $"behaviour-{v}.safetensors", $"behaviour-teacher-{v}.safetensors" }).Order(), files.Order());
    }

    [Fact]
    public void Equal_states_have_equal_manifests()
    {
        using var one = Open("rlp");
        using var two = Open("rlp");
        one.Next();
        two.Next();
        Assert.Equal(one.Save().Sha256, two.Save().Sha256);
    }

    [Theory]
    [InlineData(CheckpointFolder.Policy)]
    [InlineData(CheckpointFolder.Teacher)]
    [InlineData(CheckpointFolder.Optimizer)]
    [InlineData(CheckpointFolder.Manifest)]
    [InlineData("behaviour-0.safetensors")]
    [InlineData("behaviour-teacher-0.safetensors")]
    public void A_damaged_checkpoint_is_refused_by_the_name_of_the_file(string file)
    {
        using var loop = Open("rlp", recipe: TinyRecipes.Arithmetic(staleness: 1));
        loop.Next();
        var checkpoint = loop.Save();
        var path = Path.Combine(checkpoint.Path, file);
        var bytes = File.ReadAllBytes(path);
        bytes[^5] ^= 1;
        File.WriteAllBytes(path, bytes);

        Assert.Contains(file, Assert.Throws<CheckpointException>(() => Open("rlp", checkpoint)).Message);
        File.Delete(path);
        Assert.Contains($"{file} is missing", Assert.Throws<CheckpointException>(() => Open("rlp", checkpoint)).Message);
    }

    [Fact]
    public void An_unfinished_folder_is_never_taken_for_a_checkpoint()
    {
        using var loop = Open("pretrain");
        loop.Next();
        var sealedCheckpoint = loop.Save();

        Assert.DoesNotContain(Directory.GetDirectories(Path.GetDirectoryName(sealedCheckpoint.Path)!), d => d.EndsWith(CheckpointFolder.Unfinished, StringComparison.Ordinal));
        Assert.Throws<ArgumentException>(() => CheckpointFolder.Seal(sealedCheckpoint.Path, CheckpointFolder.Verify(sealedCheckpoint)));
    }
}
