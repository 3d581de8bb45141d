using Rlp.Actors.Hosting;
using Rlp.Actors.Runs;
using Rlp.Models;
using Rlp.Models.Weights;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Actors.Tests;

/// <summary>Runs that start from a model folder, through the actor system.</summary>
public sealed class PretrainedRunTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>The RLP stage of the arithmetic recipe alone, from a folder of random weights.</summary>
    private Recipe FromFolder(string name, long seed)
    {
        var recipe = Recipes.Arithmetic();
        var config = RecipeNetwork.Config(recipe, RecipeNetwork.Tokenizer(recipe));
        var path = Path.Combine(folder.Path, name);
        HuggingFaceFolder.Initialize(path, config.ToJson(), Decoder.Layout(config), seed, config.Initialization, new ExportSettings());
        return recipe with
        {
            Model = recipe.Model with { Path = path, Identity = PretrainedModel.Inspect(path).Identity },
            Stages = [recipe.Stage("rlp") with { From = null }],
        };
    }

    [Fact]
    public async Task A_run_of_RLP_alone_starts_from_the_folder_and_calls_no_stage_the_base()
    {
        var recipe = FromFolder("model", seed: 5);
        var expected = new List<string>();
        using (var loop = new BareLoop(new TorchEngineFactory(), new StageContext("r", recipe, recipe.Stages[0], folder.Sub("bare"), 1, new NodeWeights())))
            for (var i = 0; i < recipe.Stages[0].Steps; i++) expected.Add(loop.Next().Applied.ParametersSha256);

        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("actors"), new TorchEngineFactory()));
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>((await node.RunAsync("r", recipe))[^1]).Status);
        var events = node.Journal.Events("r");
        Assert.Equal(expected, events.OfType<StepApplied>().Select(e => e.ParametersSha256));
        Assert.Equal(["rlp"], events.OfType<StageEvaluated>().Where(e => e.Compared).Select(e => e.Stage));
    }

    [Fact]
    public async Task A_run_is_not_continued_with_another_model_in_the_folder()
    {
        var recipe = FromFolder("model", seed: 5);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("actors"), new TorchEngineFactory()));
        await node.RunAsync("r", recipe);

        Directory.Delete(recipe.Model.Path!, recursive: true);
        var other = FromFolder("model", seed: 6);
        Assert.Equal(recipe.Model with { Identity = null }, other.Model with { Identity = null });
        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("r", other));
        Assert.Equal(FailureKind.Configuration, refusal.Kind);
        Assert.Contains("run 'r' was created with the recipe", refusal.Message);
    }

    [Fact]
    public async Task A_recipe_whose_folder_has_gone_is_refused_before_anything_is_journaled()
    {
        var recipe = FromFolder("model", seed: 5);
        Directory.Delete(recipe.Model.Path!, recursive: true);
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("actors"), new TorchEngineFactory()));

        var refusal = await Assert.ThrowsAsync<RunRefusedException>(() => node.Runs.StartAsync("r", recipe));
        Assert.Equal(FailureKind.Configuration, refusal.Kind);
        Assert.Contains(Path.Combine(recipe.Model.Path!, "config.json"), refusal.Message);
        Assert.Empty(node.Journal.Events("r"));
    }

    [Fact]
    public void What_RLP_starts_from_is_the_base_wherever_that_is_a_stage()
    {
        var recipe = Recipes.Arithmetic();
        Assert.Equal(["base", "cpt", "cpt_thoughts", "rlp"], RunPlans.Of(recipe).Compared.Select(c => c.Name));
        var pretrained = recipe with { Model = recipe.Model with { Path = "model" } };
        Assert.Equal(["base", "cpt", "cpt_thoughts", "rlp"], RunPlans.Of(pretrained).Compared.Select(c => c.Name));
        var apart = pretrained with { Stages = [.. pretrained.Stages.Skip(1).Select(s => s with { From = null })] };
        Assert.Equal(["cpt", "cpt_thoughts", "rlp"], RunPlans.Of(apart).Compared.Select(c => c.Name));
    }
}
