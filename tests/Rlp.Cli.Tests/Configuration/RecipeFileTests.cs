using System.Text.Json;
using Rlp.Cli.Configuration;
using Rlp.Corpora;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Tests.Configuration;

public sealed class RecipeFileTests
{
    [Fact]
    public void All_unknown_keys_are_refused_at_once_with_line_and_nearest_key() => Assert.Equal(
        [
            "x.hocon:6: unknown key 'rlp.group-sise'; did you mean 'rlp.group-size'?",
            "x.hocon:7: unknown key 'corpora.plain.term'; did you mean 'corpora.plain.terms'?",
            "x.hocon:8: unknown key 'learning-rate'; did you mean 'cpt.optimizer.learning-rate'?",
            "x.hocon:9: unknown key 'colour'",
        ],
        Problems("rlp { group-sise = 4 }\ncorpora.plain.term = 4\nlearning-rate = 1\ncolour = red"));

    [Theory]
    [InlineData("rlp.group-size = many", "'rlp.group-size' is 'many'; expected a whole number of at least 2")]
    [InlineData("rlp.group-size = 1", "'rlp.group-size' is '1'; expected a whole number of at least 2")]
    [InlineData("rlp.group-size = 2.5", "'rlp.group-size' is '2.5'; expected a whole number of at least 2")]
    [InlineData("rlp.group-size = 99999999999", "'rlp.group-size' is '99999999999'; expected a whole number of at least 2")]
    [InlineData("rlp.group-size = [4]", "'rlp.group-size' is [4]; expected a single value")]
    [InlineData("rlp.group-size = null", "'rlp.group-size' is 'null'; expected a whole number of at least 2")]
    [InlineData("rlp.temperature = 0", "'rlp.temperature' is '0'; expected a number above 0")]
    [InlineData("rlp.temperature = NaN", "'rlp.temperature' is 'NaN'; expected a number above 0")]
    [InlineData("rlp.min-thought-tokens = 3000", "'rlp.min-thought-tokens' is '3000'; expected at most rlp.max-thought-tokens, which is 2048")]
    [InlineData("rlp.top-p = 0", "'rlp.top-p' is '0'; expected a number above 0 and at most 1")]
    [InlineData("rlp.max-thought-tokens = 0", "'rlp.max-thought-tokens' is '0'; expected a whole number of at least 1")]
    [InlineData("rlp.tau = 1.1", "'rlp.tau' is '1.1'; expected a number from 0 to 1")]
    [InlineData("corpora.plain.held-out = 1", "'corpora.plain.held-out' is '1'; expected a number of at least 0 and below 1")]
    [InlineData("model.hidden-size = 0", "'model.hidden-size' is '0'; expected a whole number of at least 1")]
    [InlineData("model.head-dim = 3", "'model.head-dim' is '3'; expected an even number (rotary embeddings turn pairs)")]
    [InlineData("model.key-value-heads = 3", "'model.key-value-heads' is '3'; expected a divisor of attention-heads (4)")]
    [InlineData("model.tie-word-embeddings = maybe", "'model.tie-word-embeddings' is 'maybe'; expected true or false")]
    [InlineData("tokenizer.kind = bites", "'tokenizer.kind' is 'bites'; expected characters, bytes or folder; did you mean 'bytes'?")]
    [InlineData("rlp = 3", "'rlp' is a section and cannot be '3'; write 'rlp { ... }'")]
    [InlineData("stages = [pretrain, sft, rlp]", "'stages' holds 'sft'; expected pretrain, cpt, cpt-thoughts or rlp; did you mean 'cpt'?")]
    [InlineData("stages = [pretrain, pretrain]", "'stages' holds 'pretrain' 2 times; expected each at most once")]
    [InlineData("stages = []", "'stages' is empty; name at least one of pretrain, cpt, cpt-thoughts, rlp")]
    [InlineData("stages = pretrain", "'stages' is 'pretrain'; expected a list such as [pretrain, cpt, cpt-thoughts, rlp]")]
    [InlineData("cpt.data.plian = 1", "'cpt.data' names 'plian', which 'corpora' does not hold; did you mean 'plain'?")]
    [InlineData("cpt.from = rlp", "'cpt.from' is 'rlp', which does not run before cpt; expected pretrain or \"\" (random weights)")]
    [InlineData("rlp.positions.strategy = marker", "'rlp.positions.marker' is empty; the strategy 'marker' needs the text before the scored token")]
    [InlineData("rlp.lanes = 64", "'rlp.lanes' is '64'; expected at most rlp.batch-size, which is 32")]
    [InlineData("rlp.staleness = 9", "'rlp.staleness' is '9'; expected a whole number from 0 to 8")]
    [InlineData("cpt.evaluate-every = 5", "'cpt.evaluate-every' is '5', but 'compare.corpus' names no corpus to evaluate on")]
    [InlineData("compare.corpus = plane", "'compare.corpus' is 'plane', which 'corpora' does not hold; did you mean 'plain'?")]
    [InlineData("thought.end = \"<think>\"", "'thought.end' is '<think>', the same as thought.begin; expected two different texts")]
    [InlineData("node.memory = lots", "'node.memory' is 'lots'; expected 'auto' or a size such as 512MiB or 8GiB")]
    [InlineData("node.port = 70000", "'node.port' is '70000'; expected a whole number from 0 to 65535")]
    [InlineData("seed = ${sed}", "'${sed}' in 'seed' refers to no key; did you mean 'seed'?")]
    [InlineData("seed = ${?sed}", "'${?sed}' in 'seed': optional references are not supported; write '${sed}'")]
    [InlineData("seed = ${seed}", "'seed' refers to itself: seed -> seed")]
    [InlineData("rlp.optimizer = ${rlp.optimizer}", "'rlp.optimizer.beta1' refers to itself: rlp.optimizer.beta1 -> rlp.optimizer.beta1")]
    [InlineData("rlp.optimizer = ${rlp.lanes}", "'rlp.optimizer' is a section and '${rlp.lanes}' is none")]
    [InlineData("colour { }", "unknown key 'colour'")]
    [InlineData("rlp.lanes { }", "'rlp.lanes' is no section; write 'rlp.lanes = ...'")]
    [InlineData("name = \"a\\qb\"", "the value of 'name' cannot be read: Unknown escape code: q")]
    public void A_wrong_value_is_refused_with_what_was_expected(string line, string problem)
    {
        var problems = Problems("\n" + line);
        Assert.StartsWith("x.hocon", problems[0]);
        Assert.Contains(problems, p => p.EndsWith(": " + problem, StringComparison.Ordinal));
        Assert.All(problems.Where(p => p.Contains(':' + "7:")), p => Assert.StartsWith("x.hocon:7: ", p));
    }

    [Fact]
    public void The_line_of_a_wrong_value_is_that_of_the_last_assignment() =>
        Assert.Equal(
            ["x.hocon:8: 'rlp.group-size' is 'many'; expected a whole number of at least 2"],
            Problems("rlp.group-size = 4\n\nrlp.group-size = many"));

    [Fact]
    public void Unknown_keys_and_wrong_values_are_reported_together() => Assert.Equal(2, Problems("colour = red\nseed = -1").Length);

    [Fact]
    public void References_in_a_circle_are_refused() =>
        Assert.Contains("refers to itself", Assert.Single(Problems("cpt.steps = ${rlp.steps}\nrlp.steps = ${cpt.steps}")));

    [Fact]
    public void Overrides_hold_before_references_resolve()
    {
        var loaded = RecipeText.Load(
            RecipeText.Least + "cpt.steps = 7\nrlp.steps = ${cpt.steps}", "cpt.steps=8", "cpt.steps = 9", "pretrain.steps=3");
        Assert.Equal(9, loaded.Recipe.Stage("cpt").Steps);
        Assert.Equal(9, loaded.Recipe.Stage("rlp").Steps);
        Assert.Equal(3, loaded.Recipe.Stage("pretrain").Steps);
    }

    [Theory]
    [InlineData("rlp.group-sise=4", "--set: unknown key 'rlp.group-sise'; did you mean 'rlp.group-size'?")]
    [InlineData("rlp.group-size=x", "--set: 'rlp.group-size' is 'x'; expected a whole number of at least 2")]
    [InlineData("rlp.group-size", "--set: 'rlp.group-size' sets nothing; write key=value, as in rlp.group-size=8")]
    [InlineData("seed=5,name=x", "--set: 'seed=5,name=x' also sets 'name'; give that a --set of its own")]
    [InlineData("name=\"x", "--set: a string is not closed before the end of its line (in 'name=\"x')")]
    public void Problems_of_an_override_name_the_option(string set, string problem) =>
        Assert.Equal([problem], RecipeText.Problems(RecipeText.Least, set));

    [Fact]
    public void A_recipe_without_staleness_is_journaled_as_it_was_before_there_was_one()
    {
        var onPolicy = RecipeText.Load(RecipeText.Least + "rlp.staleness = 0").Recipe;
        Assert.DoesNotContain("staleness", onPolicy.ToJson());
        var stale = RecipeText.Load(RecipeText.Least + "rlp.staleness = 8").Recipe;
        Assert.Equal(8, Recipe.FromJson(stale.ToJson()).Stage("rlp").Rlp!.Staleness);
    }

    [Fact]
    public void Values_keep_the_white_space_inside_their_quotes_also_through_references()
    {
        var recipe = RecipeText.Load(RecipeText.Least + """
            tokenizer.characters = " 0123456789+-=\n"  # the alphabet
            corpora.plain.separator = ${tokenizer.characters}
            """).Recipe;
        Assert.Equal(" 0123456789+-=\n", recipe.Tokenizer.Characters);
        Assert.Equal(" 0123456789+-=\n", recipe.Corpora[0].Separator);
    }

    [Fact]
    public void A_section_can_take_another_and_override_parts_of_it()
    {
        var recipe = RecipeText.Load(RecipeText.Least + """
            pretrain.optimizer { beta1 = 0.5, weight-decay = 0.25 }
            cpt.optimizer = ${pretrain.optimizer} { weight-decay = 0.125 }
            rlp.optimizer = ${cpt.optimizer}
            corpora.other { kind = arithmetic }
            cpt.data = { other = 2 }
            rlp.data = ${cpt.data}
            cpt-thoughts = ${cpt}
            """).Recipe;
        Assert.Equal(0.5, recipe.Stage("cpt").Optimizer.Beta1);
        Assert.Equal(0.125, recipe.Stage("cpt").Optimizer.WeightDecay);
        Assert.Equal(recipe.Stage("cpt").Optimizer, recipe.Stage("rlp").Optimizer);
        Assert.Equal([new MixturePart("other", 2), new MixturePart("plain", 1)], recipe.Stage("rlp").Data);
        Assert.Equal(recipe.Stage("rlp").Data, recipe.Stage("cpt_thoughts").Data);
        Assert.Equal(0.125, recipe.Stage("cpt_thoughts").Optimizer.WeightDecay);
    }

    [Fact]
    public void A_list_can_be_extended()
    {
        var recipe = RecipeText.Load(RecipeText.Least + "stages = [pretrain]\nstages += rlp").Recipe;
        Assert.Equal(["pretrain", "rlp"], recipe.Stages.Select(s => s.Id));
    }

    [Fact]
    public void A_weight_of_zero_leaves_the_corpus_out()
    {
        Assert.Contains("gives no corpus a weight", Assert.Single(Problems("cpt.data.plain = 0")));
        var recipe = RecipeText.Load(RecipeText.Least + "corpora.other.terms = 3\ncpt.data { plain = 0, other = 1 }").Recipe;
        Assert.Equal([new MixturePart("other", 1)], recipe.Stage("cpt").Data);
    }

    [Fact]
    public void Stages_run_in_the_order_of_the_list_and_have_ids_with_underscores()
    {
        var recipe = RecipeText.Load(RecipeText.Least + "stages = [pretrain, cpt-thoughts, rlp]\nrlp.from = cpt-thoughts").Recipe;
        Assert.Equal(["pretrain", "cpt_thoughts", "rlp"], recipe.Stages.Select(s => s.Id));
        Assert.Equal([null, "pretrain", "cpt_thoughts"], recipe.Stages.Select(s => s.From));
        Assert.Equal([StageKind.Ntp, StageKind.Ntp, StageKind.Rlp], recipe.Stages.Select(s => s.Kind));
        Assert.Equal([true, true, false], recipe.Stages.Select(s => s.Rlp is null));
    }

    [Fact]
    public void The_alphabet_must_hold_each_character_once_and_all_that_is_needed() => Assert.Equal(
        [
            "x.hocon:6: 'tokenizer.characters' holds 1 2 times; expected it once",
            "x.hocon:6: 'tokenizer.characters' lacks \"=\", which corpus 'plain' needs",
            "x.hocon:6: 'tokenizer.characters' lacks \"\\n\", which corpus 'plain' needs",
            "x.hocon:6: 'tokenizer.characters' lacks \">\", which rlp.positions.marker needs",
        ],
        Problems("tokenizer { kind = characters, characters = \"01234567891+-\" }\nrlp.positions { strategy = marker, marker = \">\" }"));

    [Fact]
    public void A_text_corpus_is_found_from_the_folder_of_the_file_that_names_it()
    {
        using var folder = new RecipeText();
        var data = folder.Write("some text", "data.txt");
        Directory.CreateDirectory(Path.Combine(folder.Folder, "sub"));
        folder.Write("corpora.book { kind = text, path = \"../data.txt\" }", Path.Combine("sub", "book.hocon"));
        var path = folder.Write(RecipeText.Least + "include \"sub/book.hocon\"\nrlp.data.book = 1");
        Assert.Equal(data, RecipeFile.Load(path, []).Recipe.Corpora.Single(c => c.Name == "book").Path);

        File.Delete(data);
        var problem = Assert.Single(Assert.Throws<ConfigurationException>(() => RecipeFile.Load(path, [])).Problems);
        Assert.Equal($"'corpora.book.path' is '../data.txt'; there is no file {data}", problem.Message);
        Assert.EndsWith("book.hocon", problem.File);
        Assert.Equal(1, problem.Line);
    }

    [Fact]
    public void A_missing_file_is_refused_with_the_recipes_that_exist()
    {
        using var folder = new RecipeText();
        folder.Write("", "one.hocon");
        folder.Write("", "two.hocon");
        var refused = Assert.Throws<ConfigurationException>(() => RecipeFile.Load(Path.Combine(folder.Folder, "tow.hocon"), []));
        Assert.EndsWith($"there is no such file; the recipes in {folder.Folder} are one.hocon, two.hocon", refused.Message);
    }

    [Fact]
    public void A_file_that_is_no_recipe_is_not_read_whole()
    {
        using var folder = new RecipeText();
        var path = folder.Write(new string(' ', (1 << 20) + 1));
        Assert.Contains("expected a recipe of at most", Assert.Throws<ConfigurationException>(() => RecipeFile.Load(path, [])).Message);
    }

    [Fact]
    public void The_canonical_text_loads_as_the_same_recipe()
    {
        var path = Path.Combine(RecipeText.Repository(), "hocon", "recipes", "arithmetic.hocon");
        var loaded = RecipeFile.Load(path, ["rlp.steps=5", "node.threads=2"]);
        var again = RecipeText.Load(loaded.CanonicalText);
        Assert.Equal(loaded.Recipe.Digest, again.Recipe.Digest);
        Assert.Equal(JsonSerializer.Serialize(loaded.Node), JsonSerializer.Serialize(again.Node)); // lists have no equality of their own
        Assert.Equal(loaded.CanonicalText, again.CanonicalText);
    }

    [Fact]
    public void The_recipe_survives_its_json()
    {
        var recipe = RecipeText.Load(RecipeText.Least).Recipe;
        Assert.Equal(recipe.ToJson(), Recipe.FromJson(recipe.ToJson()).ToJson());
    }

    [Fact]
    public void The_arithmetic_recipe_loads()
    {
        var recipe = RecipeFile.Load(Path.Combine(RecipeText.Repository(), "hocon", "recipes", "arithmetic.hocon"), []).Recipe;
        Assert.Equal("arithmetic", recipe.Name);
        Assert.Equal(["pretrain", "cpt", "cpt_thoughts", "rlp"], recipe.Stages.Select(s => s.Id));
        Assert.Equal("0123456789+-=,\n", recipe.Tokenizer.Characters);
        Assert.Equal(recipe.Stage("cpt").Steps, recipe.Stage("cpt_thoughts").Steps);
        Assert.Equal(3, recipe.Stage("cpt_thoughts").Data.Count);
        Assert.Equal(recipe.Stage("rlp").Rlp!.Positions, recipe.Compare!.Positions);
        Assert.Equal(
            [ArithmeticThoughts.None, ArithmeticThoughts.Clean, ArithmeticThoughts.Corrupted],
            recipe.Corpora.Select(c => c.Thoughts));
    }

    /// <summary>The problems of the least recipe (five lines) with these lines after it.</summary>
    private static string[] Problems(string lines) => RecipeText.Problems(RecipeText.Least + lines);
}
