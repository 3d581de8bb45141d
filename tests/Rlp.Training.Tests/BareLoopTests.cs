using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;

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
    [InlineData("pretrain", 0.0, WeightType.Float32)]
    [InlineData("rlp", 0.0, WeightType.Float32)]
    [InlineData("rlp", 0.1, WeightType.Float32)] // with a reference policy, which must come back too
    [InlineData("pretrain", 0.0, WeightType.Bfloat16)] // the float32 weights behind those of the passes as well
    [InlineData("rlp", 0.1, WeightType.Bfloat16)]
    public void A_run_cut_at_a_checkpoint_goes_on_as_if_it_had_not_been(string stage, double beta, WeightType dtype)
    {
        var recipe = TinyRecipes.Arithmetic(beta: beta);
        recipe = recipe with { Model = recipe.Model with { Dtype = dtype } };
        using var whole = Open(stage, recipe: recipe);
        var expected = Series(Steps(whole, 4));

        CheckpointReference checkpoint;
        Corpora.DataCursor cursor;
        List<BareStep> before;
        using (var first = Open(stage, recipe: recipe))
        {
            before = Steps(first, 2);
            (checkpoint, cursor) = (first.Save(), first.Cursor);
        }
        using var second = Open(stage, checkpoint, cursor, recipe);

        Assert.Equal(expected, Series([.. before, .. Steps(second, 2)]));
    }

    [Fact]
    public void A_stage_starts_from_the_weights_but_not_from_the_optimizer_of_the_stage_before()
    {
        CheckpointReference checkpoint;
        using (var pretrain = Open("pretrain"))
        {
            Steps(pretrain, 3);
            checkpoint = pretrain.Save();
        }
        using var rlp = Open("rlp", checkpoint);
        using var random = Open("rlp");

        Assert.Equal(0, rlp.Step);
        Assert.NotEqual(Series(Steps(random, 1)), Series(Steps(rlp, 1)));
        Assert.Equal(1, rlp.Step);
    }

    [Fact]
    public void Lanes_divide_the_work_without_changing_a_thought()
    {
        using var one = Open("rlp");
        using var three = Open("rlp", recipe: TinyRecipes.Arithmetic(lanes: 3));
        var whole = one.Next();
        var divided = three.Next();

        Assert.Equal(whole.Groups.SelectMany(g => g.Sampled.Thoughts.SelectMany(t => t.Tokens)), divided.Groups.SelectMany(g => g.Sampled.Thoughts.SelectMany(t => t.Tokens)));
        Assert.Equal(whole.Applied.Loss, divided.Applied.Loss, 1e-6);
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
    public void A_damaged_checkpoint_is_refused_by_the_name_of_the_file(string file)
    {
        using var loop = Open("rlp");
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
