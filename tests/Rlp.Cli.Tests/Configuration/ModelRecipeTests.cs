using Rlp.Cli.Configuration;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Tests.Configuration;

/// <summary>Recipes that start from a model folder.</summary>
public sealed class ModelRecipeTests
{
    [Theory]
    [InlineData("qwen3-1.7b.hocon", false)]
    [InlineData("nemotron-nano-12b-v2.hocon", true)]
    public void The_published_recipes_load_with_the_settings_of_the_paper(string file, bool nemotron)
    {
        using var model = new ModelFolder(nemotron);
        using var folder = new RecipeText();
        var text = folder.Write("{\"text\": \"a\"}\n", "text.jsonl");
        var recipe = RecipeFile.Load(
            Path.Combine(RecipeText.Repository(), "hocon", "recipes", file),
            [$"model.path={HoconText.Written(model.Folder)}", $"corpora.text.path={HoconText.Written(text)}"]).Recipe;

        Assert.Equal(model.Folder, recipe.Model.Path);
        Assert.Equal(model.Folder, recipe.Tokenizer.Path);
        var stage = recipe.Stage("rlp");
        Assert.Null(stage.From);
        Assert.Equal(512, stage.BatchSize);
        Assert.Equal(2048, stage.ContextLength);
        Assert.Equal(
            new RlpSettings { GroupSize = 16, Temperature = 0.7, MaxThoughtTokens = 2048, Beta = 0, Tau = 0.999, Lanes = stage.Rlp!.Lanes },
            stage.Rlp);
        Assert.Equal(new OptimizerSettings { LearningRate = 1e-6, Beta1 = 0.9, Beta2 = 0.95, WeightDecay = 0.1 }, stage.Optimizer);
        if (nemotron) return;
        var cpt = recipe.Stage("cpt");
        Assert.Null(cpt.From);
        Assert.Equal((1e-6, 1e-7, 0.1), (cpt.Optimizer.LearningRate, cpt.Optimizer.FinalLearningRate, cpt.Optimizer.WeightDecay));
        Assert.InRange((long)cpt.BatchSize * cpt.ContextLength, 5_990_000, 6_010_000);
    }

    [Fact]
    public void The_sizes_are_the_folders_and_the_identity_is_part_of_the_digest()
    {
        using var model = new ModelFolder();
        var recipe = RecipeText.Load(RecipeText.Least + model.Recipe).Recipe;
        Assert.Equal((8, 12, 1, 2, 1, 4, 1e-6), (recipe.Model.HiddenSize, recipe.Model.IntermediateSize, recipe.Model.Layers,
            recipe.Model.AttentionHeads, recipe.Model.KeyValueHeads, recipe.Model.HeadDim, recipe.Model.RmsNormEps));
        Assert.NotNull(recipe.Tokenizer.Fingerprint);
        Assert.Equal(recipe.ToJson(), Recipe.FromJson(recipe.ToJson()).ToJson());
        Assert.Equal(recipe.Digest, RecipeText.Load(RecipeText.Least + model.Recipe + "model.hidden-size = 64").Recipe.Digest);

        var weights = File.ReadAllBytes(model.Weights);
        weights[^1] = 1;
        File.WriteAllBytes(model.Weights, weights);
        Assert.NotEqual(recipe.Digest, RecipeText.Load(RecipeText.Least + model.Recipe).Recipe.Digest);
    }

    [Fact]
    public void The_canonical_text_names_the_folder_in_full()
    {
        using var folder = new RecipeText();
        using var model = new ModelFolder();
        var deep = Directory.CreateDirectory(Path.Combine(folder.Folder, "a", "b")).FullName; // deeper than where the text is loaded again
        var relative = Path.GetRelativePath(deep, model.Folder).Replace('\\', '/');
        var path = folder.Write(RecipeText.Least + $"model.path = \"{relative}\"\ntokenizer.kind = folder", Path.Combine("a", "b", "x.hocon"));
        var loaded = RecipeFile.Load(path, []);
        Assert.Equal(model.Folder, loaded.Recipe.Model.Path);
        Assert.Equal(loaded.Recipe.Digest, RecipeText.Load(loaded.CanonicalText).Recipe.Digest);
    }

    [Fact]
    public void An_rlp_stage_alone_may_start_from_the_folder()
    {
        using var model = new ModelFolder();
        var alone = RecipeText.Least + model.Recipe + "stages = [rlp]\n";
        Assert.Null(RecipeText.Load(alone + "rlp.from = \"\"").Recipe.Stage("rlp").From);
        Assert.Contains("which does not run before rlp; expected \"\" (the model of model.path)", Assert.Single(RecipeText.Problems(alone)));
    }

    [Fact]
    public void A_folder_that_is_not_there_is_refused_by_its_line_and_full_path()
    {
        using var folder = new RecipeText();
        var path = folder.Write(RecipeText.Least + "model.path = \"absent\"\ntokenizer.kind = folder");
        var problem = Assert.Single(Assert.Throws<ConfigurationException>(() => RecipeFile.Load(path, [])).Problems);
        Assert.Equal(
            $"'model.path' is 'absent'; there is no folder {Path.Combine(folder.Folder, "absent")}. `rlp model pull` downloads a model into one",
            problem.Message);
        Assert.Equal((path, 6), (problem.File, problem.Line));
    }

    [Theory]
    [InlineData("config.json", "config.json: the file does not exist")]
    [InlineData("model.safetensors", "neither model.safetensors nor model.safetensors.index.json is there")]
    [InlineData("tokenizer.vocab", "no tokenizer; looked for tokenizer.json, tokenizer.bin, tok*.bin, tokenizer.vocab and tok*.vocab")]
    public void A_folder_that_lacks_a_file_is_refused_by_what_was_looked_for(string file, string problem)
    {
        using var model = new ModelFolder();
        File.Delete(Path.Combine(model.Folder, file));
        var found = Assert.Single(RecipeText.Problems(RecipeText.Least + model.Recipe));
        Assert.StartsWith($"x.hocon:6: 'model.path' is '{model.Folder}', ", found);
        Assert.Contains(problem, found);
    }

    [Fact]
    public void Weights_of_another_shape_than_the_config_are_refused()
    {
        using var model = new ModelFolder();
        File.WriteAllText(model.Config, File.ReadAllText(model.Config).Replace("\"intermediate_size\": 12", "\"intermediate_size\": 16"));
        Assert.Contains("'model.layers.0.mlp.gate_proj.weight' is [12, 8], expected [16, 8]", Assert.Single(RecipeText.Problems(RecipeText.Least + model.Recipe)));
    }

    [Fact]
    public void A_tokenizer_of_its_own_folder_is_used_and_may_not_outgrow_the_model()
    {
        using var model = new ModelFolder();
        using var other = new ModelFolder();
        var recipe = RecipeText.Least + model.Recipe + $"tokenizer.path = {other.Written}\n";
        Assert.Equal(other.Folder, RecipeText.Load(recipe).Recipe.Tokenizer.Path);
        File.AppendAllText(Path.Combine(other.Folder, "tokenizer.vocab"), "b\t-1\nc\t-1\nd\t-1\n");
        var problem = Assert.Single(RecipeText.Problems(recipe));
        Assert.StartsWith("x.hocon:8: 'tokenizer.path' is ", problem);
        Assert.Contains($"vocab_size is {ModelFolder.Rows}, but the tokenizer has 10 tokens", problem);
    }

    [Fact]
    public void Thought_markers_that_the_vocabulary_lacks_are_refused()
    {
        using var model = new ModelFolder(begin: "<reason>");
        Assert.Contains("has no token '<think>' and no spare one for it", Assert.Single(RecipeText.Problems(RecipeText.Least + model.Recipe)));
        Assert.Equal("<reason>", RecipeText.Load(RecipeText.Least + model.Recipe + "thought.begin = \"<reason>\"").Recipe.Markers.Begin);
    }

    [Fact]
    public void A_model_with_a_tokenizer_of_its_own_is_not_read_with_another_kind()
    {
        using var model = new ModelFolder();
        Assert.Equal(
            [$"x.hocon: 'tokenizer.kind' is 'bytes', but {model.Folder} holds the model's own tokenizer; expected folder"],
            RecipeText.Problems(RecipeText.Least + $"model.path = {model.Written}"));
    }

    [Theory]
    [InlineData("model.dtype = float16", "'model.dtype' is 'float16'; expected float32 or bfloat16")]
    [InlineData("tokenizer.kind = folder", "'tokenizer.path' is empty, and so is 'model.path'; tokenizer.kind = folder needs one of them")]
    [InlineData("tokenizer.path = \".\"", "'tokenizer.path' is set; only tokenizer.kind = folder reads a tokenizer from it")]
    public void What_cannot_be_is_refused(string line, string problem) =>
        Assert.Contains(problem, Assert.Single(RecipeText.Problems(RecipeText.Least + line)));
}
