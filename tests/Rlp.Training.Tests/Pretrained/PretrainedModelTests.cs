using Rlp.Corpora;
using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Models.Weights;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;

namespace Rlp.Training.Tests.Pretrained;

/// <summary>Recipes that start from a model folder, through the engines and their checkpoints.</summary>
public sealed class PretrainedModelTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-pretrained-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>The tiny arithmetic recipe on the model of a folder; its RLP stage starts from the folder itself.</summary>
    private static Recipe Recipe(string model, long seed = 1)
    {
        var recipe = TinyRecipes.Arithmetic(seed);
        return recipe with
        {
            Model = recipe.Model with { Path = model, Identity = PretrainedModel.Inspect(model).Identity },
            Tokenizer = new TokenizerSettings { Kind = TokenizerKind.Folder, Path = model },
            Stages =
            [
                .. recipe.Stages.Select(s => s with
                {
                    From = null,
                    Rlp = s.Rlp is null ? null : s.Rlp with { Positions = new PositionSettings { Strategy = PositionStrategyKind.Uniform } },
                }),
            ],
        };
    }

    private BareLoop Open(Recipe recipe, string stage, CheckpointReference? checkpoint = null, DataCursor cursor = default) =>
        new(new TorchEngineFactory(), TinyRecipes.Context(recipe, stage, Path.Combine(folder, "run")), checkpoint, cursor);

    private string Model(string architecture, string name = "model", long seed = 7, bool addsBeginOfText = false) =>
        ModelFolder.Write(Path.Combine(folder, name), architecture, seed, addsBeginOfText);

    private static List<string> Series(BareLoop loop, int steps) => [.. Enumerable.Range(0, steps).Select(_ => loop.Next()).Select(s =>
        $"{s.Applied.Step} {s.Applied.Loss:R} {s.Applied.GradNorm:R} {s.Applied.ParametersSha256} "
        + $"{ThoughtDigest.OfStep(s.Groups.Select(g => (g.Sampled.Position.Group, g.Sampled.ThoughtsSha256())))} "
        + string.Join(",", s.Groups.SelectMany(g => g.Rewards())))];

    private static string ParametersIn(string path, string? weights = null)
    {
        using var model = HuggingFaceFolder.Open(path, weights);
        using var arena = model.Load(Decoder.Layout(DecoderConfig.Read(model.ConfigPath)), trainable: false);
        return arena.Sha256();
    }

    [Theory]
    [MemberData(nameof(ModelFolder.Architectures), MemberType = typeof(ModelFolder))]
    public void A_stage_that_starts_from_no_other_starts_from_the_weights_of_the_folder(string architecture)
    {
        var model = Model(architecture);
        foreach (var stage in new[] { "pretrain", "rlp" })
        {
            using var loop = Open(Recipe(model, seed: 3), stage);
            Assert.Equal(ParametersIn(model), CheckpointFolder.Verify(loop.Save()).ParametersSha256);
            loop.Next();
            Assert.NotEqual(ParametersIn(model), CheckpointFolder.Verify(loop.Save()).ParametersSha256);
        }
    }

    [Theory]
    [MemberData(nameof(ModelFolder.Architectures), MemberType = typeof(ModelFolder))]
    public void A_run_from_a_model_folder_goes_on_from_a_checkpoint_as_if_it_had_not_been_cut(string architecture)
    {
        var recipe = Recipe(Model(architecture));
        foreach (var stage in new[] { "pretrain", "rlp" })
        {
            List<string> expected, before;
            using (var whole = Open(recipe, stage)) expected = Series(whole, 3);
            CheckpointReference checkpoint;
            DataCursor cursor;
            using (var first = Open(recipe, stage))
            {
                before = Series(first, 1);
                (checkpoint, cursor) = (first.Save(), first.Cursor);
            }
            using var second = Open(recipe, stage, checkpoint, cursor);
            Assert.Equal(expected, [.. before, .. Series(second, 2)]);
            Assert.Equal(3, expected.Select(line => line.Split(' ')[3]).Distinct().Count());
        }
    }

    [Theory]
    [MemberData(nameof(ModelFolder.Architectures), MemberType = typeof(ModelFolder))]
    public void The_policy_of_a_checkpoint_is_a_model_folder_that_a_recipe_can_start_from(string architecture)
    {
        var source = Model(architecture);
        CheckpointReference checkpoint;
        string parameters;
        using (var loop = Open(Recipe(source), "rlp"))
        {
            parameters = loop.Next().Applied.ParametersSha256;
            checkpoint = loop.Save();
        }
        Assert.Equal(DecoderConfig.Read(Path.Combine(source, "config.json")), DecoderConfig.Read(Path.Combine(checkpoint.Path, "config.json")));
        Assert.Equal(parameters, ParametersIn(checkpoint.Path, CheckpointFolder.Policy));

        var target = Path.Combine(folder, "exported");
        using (var policy = HuggingFaceFolder.Open(checkpoint.Path, CheckpointFolder.Policy))
            policy.Export(target, Decoder.Layout(DecoderConfig.Read(policy.ConfigPath)), new ExportSettings());
        Assert.Equal(parameters, ParametersIn(target));
        Assert.Equal(
            TokenizerFolder.Open(source, "<think>", "</think>").Tokenizer.Fingerprint,
            TokenizerFolder.Open(target, "<think>", "</think>").Tokenizer.Fingerprint);
        using var next = Open(Recipe(target), "rlp");
        Assert.Equal(parameters, CheckpointFolder.Verify(next.Save()).ParametersSha256);
    }

    [Theory]
    [MemberData(nameof(ModelFolder.Architectures), MemberType = typeof(ModelFolder))]
    public void Rows_of_the_model_that_are_no_tokens_are_never_sampled(string architecture)
    {
        var model = Model(architecture);
        var tokens = TokenizerFolder.Open(model, "<think>", "</think>").Tokenizer.VocabularySize;
        Assert.Equal(tokens + ModelFolder.SpareRows, PretrainedModel.Inspect(model).Config.VocabularySize);
        using var loop = Open(Recipe(model), "rlp");
        var sampled = Enumerable.Range(0, 5).SelectMany(_ => loop.Next().Groups).SelectMany(g => g.Sampled.Thoughts).SelectMany(t => t.Tokens).ToArray();
        Assert.All(sampled, token => Assert.InRange(token, 0, tokens - 1));
        Assert.True(sampled.Distinct().Count() > 10);
    }

    [Theory]
    [InlineData("qwen3", false, null)]
    [InlineData("qwen3", true, 259)] // behind 256 bytes and three merges
    [InlineData("llama", false, 1)]
    public void A_document_begins_with_the_begin_token_where_the_tokenizer_declares_it(string architecture, bool declared, int? begin)
    {
        var recipe = Recipe(Model(architecture, addsBeginOfText: declared));
        var plain = RecipeNetwork.Tokenizer(recipe);
        using var data = new TorchEngineFactory().OpenData(TinyRecipes.Context(recipe, "pretrain", folder));
        foreach (var document in data.Load(default).Documents)
        {
            int[] text = begin is null ? document : document[1..];
            if (begin is not null) Assert.Equal(begin, document[0]);
            Assert.Equal(text, plain.Encode(plain.Decode(text)));
        }
        var compare = recipe.Compare! with { Positions = new PositionSettings { Strategy = PositionStrategyKind.Last } };
        Assert.All(StageCorpora.Problems(recipe, compare, plain, 5), p => Assert.Equal(begin is not null, p.Prefix[0] == begin));
    }

    [Fact]
    public void A_model_that_was_trained_on_has_another_identity_and_a_copy_has_the_same()
    {
        var model = Model("qwen3");
        var recipe = Recipe(model);
        var copy = Path.Combine(folder, "copy");
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.EnumerateFiles(model)) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        Assert.Equal(recipe.Model.Identity, PretrainedModel.Inspect(copy).Identity);

        var weights = Path.Combine(model, WeightFiles.SingleFile);
        var bytes = File.ReadAllBytes(weights);
        bytes[^3] ^= 1; // in the last tensor, a norm of 64 bytes
        File.WriteAllBytes(weights, bytes);
        Assert.NotEqual(recipe.Model.Identity, PretrainedModel.Inspect(model).Identity);
        Assert.NotEqual(recipe.Digest, Recipe(model).Digest); // so that a run is not resumed with it
        Assert.Contains("the model is another one than when the recipe was read", Assert.Throws<ModelFormatException>(() => Open(recipe, "rlp")).Message);
    }

    [Fact]
    public void Another_tokenizer_than_the_recipe_was_read_with_is_refused()
    {
        var recipe = Recipe(Model("qwen3"));
        recipe = recipe with { Tokenizer = recipe.Tokenizer with { Fingerprint = RecipeNetwork.Tokenizer(recipe).Fingerprint } };
        Assert.Equal(recipe.Tokenizer.Fingerprint, RecipeNetwork.Tokenizer(recipe).Fingerprint);
        var other = recipe with { Tokenizer = recipe.Tokenizer with { Path = Model("llama", "other") } };
        Assert.Contains("the tokenizer is another one", Assert.Throws<ModelFormatException>(() => RecipeNetwork.Tokenizer(other)).Message);
    }

    [Fact]
    public void A_tokenizer_larger_than_the_model_is_refused_by_both_sizes()
    {
        var recipe = Recipe(Model("llama")); // 22 pieces and five rows more
        var bytes = recipe with { Tokenizer = new TokenizerSettings { Kind = TokenizerKind.Bytes } };
        var message = Assert.Throws<ModelFormatException>(() => new TorchEngineFactory().Memory(bytes)).Message;
        Assert.Contains($"vocab_size is 27, but the tokenizer has {RecipeNetwork.Tokenizer(bytes).VocabularySize} tokens", message);
    }

    [Theory]
    [MemberData(nameof(ModelFolder.Architectures), MemberType = typeof(ModelFolder))]
    public void The_memory_of_a_run_is_that_of_the_folders_network(string architecture)
    {
        var model = Model(architecture);
        using var weights = HuggingFaceFolder.Open(model);
        var parameters = weights.Weights.Tensors.Values.Sum(t => t.Entry.Elements);
        var length = new TorchEngineFactory().Memory(Recipe(model)).Held.Single(p => p.Name == "policy weights").Bytes / sizeof(float);
        Assert.InRange(length, parameters, parameters + (16 * weights.Weights.Tensors.Count));
    }

    [Theory]
    [MemberData(nameof(ModelFolder.Architectures), MemberType = typeof(ModelFolder))]
    public void A_model_trained_in_bfloat16_goes_on_from_the_float32_weights_of_its_checkpoint(string architecture)
    {
        var model = Model(architecture);
        var recipe = Recipe(model);
        recipe = recipe with { Model = recipe.Model with { Dtype = WeightType.Bfloat16 } };
        List<string> expected, before;
        using (var whole = Open(recipe, "rlp"))
        {
            Assert.Equal(ParametersIn(model), CheckpointFolder.Verify(whole.Save()).ParametersSha256); // not the rounded ones
            expected = Series(whole, 3);
        }
        CheckpointReference checkpoint;
        DataCursor cursor;
        using (var first = Open(recipe, "rlp"))
        {
            before = Series(first, 1);
            (checkpoint, cursor) = (first.Save(), first.Cursor);
        }
        foreach (var file in new[] { CheckpointFolder.Policy, CheckpointFolder.Teacher, CheckpointFolder.Optimizer })
        {
            using var written = SafeTensorsFile.Open(Path.Combine(checkpoint.Path, file));
            Assert.All(written.Tensors.Values, entry => Assert.Equal("F32", entry.Dtype));
        }
        using var second = Open(recipe, "rlp", checkpoint, cursor);
        Assert.Equal(expected, [.. before, .. Series(second, 2)]);
        Assert.Equal(3, expected.Select(line => line.Split(' ')[3]).Distinct().Count());
    }

    [Fact]
    public void A_published_model_takes_steps_of_RLP_on_stories()
    {
        var (model, stories) = (Shared("oracles/pretrained/stories260K"), Shared("data/corpora/tinystories-sample.txt"));
        var recipe = Recipe(model) with { Markers = new ThoughtMarkers { Begin = "<0x01>", End = "<0x02>" } };
        recipe = recipe with
        {
            Corpora = [new CorpusSettings { Name = "plain", Kind = CorpusKind.Text, Path = stories }],
            Stages = [recipe.Stage("rlp") with { BatchSize = 4, ContextLength = 128, Optimizer = new OptimizerSettings { LearningRate = 1e-4 } }],
        };
        CheckpointReference checkpoint;
        DataCursor cursor;
        List<string> all;
        using (var loop = Open(recipe, "rlp"))
        {
            Assert.Equal(ParametersIn(model), CheckpointFolder.Verify(loop.Save()).ParametersSha256);
            var step = loop.Next();
            // It has read a billion such tokens: chance is log(1/512) = -6.2 nats, and a position in a story is easier than half of that.
            Assert.InRange(step.Groups.Average(g => g.TeacherEvidence), -3.5, 0);
            Assert.All(step.Groups.SelectMany(g => g.Sampled.Thoughts).SelectMany(t => t.LogProbabilities), p => Assert.True(float.IsFinite(p)));
            (checkpoint, cursor) = (loop.Save(), loop.Cursor);
            all = Series(loop, 2);
        }
        using var resumed = Open(recipe, "rlp", checkpoint, cursor);
        Assert.Equal(all, Series(resumed, 2));
        Assert.NotEqual(ParametersIn(model), ParametersIn(checkpoint.Path, CheckpointFolder.Policy));
    }

    private static string Shared(string name)
    {
        for (var parent = new DirectoryInfo(AppContext.BaseDirectory); parent is not null; parent = parent.Parent)
        {
            var candidate = Path.Combine([parent.FullName, "shared", .. name.Split('/')]);
            if (Path.Exists(candidate)) return candidate;
        }
        Assert.Skip($"no folder above {AppContext.BaseDirectory} holds shared/{name}");
        return "";
    }
}
