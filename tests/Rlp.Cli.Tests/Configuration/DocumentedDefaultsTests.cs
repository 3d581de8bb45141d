using System.Text.Json;
using Rlp.Actors.Hosting;
using Rlp.Cli.Configuration;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Tests.Configuration;

/// <summary>hocon/rlp.hocon, the records and the code that maps one to the other say the same.</summary>
public sealed class DocumentedDefaultsTests
{
    /// <summary>A valid other value for each key whose default cannot simply be counted up.</summary>
    private static readonly Dictionary<string, string> Others = new()
    {
        ["name"] = "other",
        ["stages"] = "[pretrain]",
        ["model.key-value-heads"] = "1",
        ["model.attention-heads"] = "8",
        ["model.head-dim"] = "64",
        ["model.tie-word-embeddings"] = "false",
        ["tokenizer.kind"] = "characters",
        ["tokenizer.characters"] = "\"0123456789+-=\\n\"",
        ["corpora.*.kind"] = "text",
        ["corpora.*.path"] = "\"RLP.Akka.sln\"",
        ["corpora.*.thoughts"] = "clean",
        ["corpora.*.thought-form"] = "totals",
        ["corpora.*.separator"] = "\"--\"",
        ["compare.corpus"] = "plain",
        ["node.device"] = "cuda",
        ["telemetry.otlp-endpoint"] = "\"http://127.0.0.1:4317\"",
        ["telemetry.trace-ratio"] = "0.5",
        ["node.memory"] = "2GiB",
        ["node.thoughts"] = "none",
        ["journal.connection-string"] = "\"Data Source=other.db\"",
        ["journal.synchronous"] = "full",
        ["journal.give-up-after"] = "2h",
        ["node.host"] = "\"0.0.0.0\"",
        ["node.allow-plaintext"] = "true",
        ["node.roles"] = "[learner]",
        ["cluster.seed-nodes"] = "[\"10.0.0.1:4053\"]",
        ["cluster.split-brain"] = "keep-oldest",
        ["model.dtype"] = "bfloat16",
        ["rlp.lanes"] = "2",
        ["rlp.top-p"] = "0.9",
        ["rlp.min-p"] = "0.1",
        ["pretrain.activation-checkpointing"] = "true",
        ["cpt.activation-checkpointing"] = "true",
        ["cpt-thoughts.activation-checkpointing"] = "true",
        ["rlp.activation-checkpointing"] = "true",
    };

    /// <summary>Keys that need another key, a folder or files: tested below.</summary>
    private static readonly string[] Apart =
    [
        "journal.provider", "model.path", "tokenizer.path",
        "node.tls.certificate", "node.tls.key", "node.tls.password-file", "node.tls.ca", "node.token-file",
    ];

    public static TheoryData<string> Keys() => [.. Documented().Select(a => a.Key).Except(Apart)];

    private static IReadOnlyList<HoconAssignment> Documented()
    {
        var problems = new List<ConfigurationProblem>();
        var found = HoconKeyLocator.Locate(RecipeFile.Defaults, "rlp.hocon", problems);
        Assert.Empty(problems);
        return found;
    }

    [Fact]
    public void The_built_in_defaults_are_the_file_in_the_repository() =>
        Assert.Equal(File.ReadAllText(Path.Combine(RecipeText.Repository(), "hocon", "rlp.hocon")), RecipeFile.Defaults);

    [Fact]
    public void No_key_is_documented_twice() => Assert.Empty(Documented().GroupBy(a => a.Key).Where(g => g.Count() > 1).Select(g => g.Key));

    [Fact]
    public void Every_key_of_the_first_stage_and_outside_the_stages_has_a_comment_before_it()
    {
        var lines = RecipeFile.Defaults.Split('\n');
        var repeated = new[] { "cpt.", "cpt-thoughts.", "compare.positions." };
        var ntp = Documented().Where(a => a.Path[0] == "pretrain").Select(a => "rlp." + string.Join('.', a.Path.Skip(1))).ToHashSet();
        var bare = Documented()
            .Where(a => !repeated.Any(r => a.Key.StartsWith(r, StringComparison.Ordinal)) && !ntp.Contains(a.Key))
            .Where(a => !lines[a.Line - 2].TrimStart().StartsWith('#'));
        Assert.Empty(bare.Select(a => a.Key));
    }

    [Theory]
    [MemberData(nameof(Keys))]
    public void Changing_a_key_changes_what_is_loaded(string key)
    {
        var documented = Documented().Single(a => a.Key == key);
        // The text corpus and the comparison make keys count that are silent otherwise; none of them may depend on the key under test.
        var recipe = RecipeText.Least + (key.StartsWith("corpora.*.", StringComparison.Ordinal) && key != "corpora.*.kind"
            ? "" : $"corpora.plain.path = {HoconText.Written(Path.Combine(RecipeText.Repository(), "RLP.Akka.sln"))}\n");
        if (key != "compare.corpus") recipe += "compare.corpus = plain\n";
        if (key == "tokenizer.kind") recipe += "tokenizer.characters = \"0123456789+-=\\n\"\n";
        if (key == "corpora.*.thoughts") recipe = recipe.Replace("compare.corpus = plain\n", "");
        var before = RecipeText.Load(recipe);
        var other = documented.Value is null ? "{ plain = 2 }"
            : Others.TryGetValue(key, out var given) ? given
            : key.EndsWith(".from", StringComparison.Ordinal) ? (documented.Value == "\"\"" ? "" : "\"\"")
            : key.EndsWith(".schedule", StringComparison.Ordinal) ? "cosine"
            : key.EndsWith(".strategy", StringComparison.Ordinal) ? "last"
            : double.TryParse(documented.Value, out var number) ? (number is > 0 and < 1 ? number / 2 : number + 1).ToString("R")
            : "\"other\"";
        // No stage runs before pretrain, so any name there is refused: the value was read.
        if (other.Length == 0)
        {
            Assert.Contains(RecipeText.Problems(recipe, $"{key}=cpt"), p => p.Contains(key));
            return;
        }
        var quoted = key.Replace(".*.", ".\"*\".");
        var after = RecipeText.Load(recipe + $"{quoted} = {other}\n");
        Assert.NotEqual(Text(before), Text(after));

        // Lists are equal only by what they hold.
        static string Text(LoadedRecipe loaded) => loaded.Recipe.ToJson() + JsonSerializer.Serialize(loaded.Node);
    }

    [Fact]
    public void The_provider_of_the_journal_is_read() =>
        Assert.Equal(
            ["x.hocon:6: 'journal.provider' is 'oracle'; expected sqlite or postgresql"],
            RecipeText.Problems(RecipeText.Least + "journal.provider = oracle"));

    [Fact]
    public void The_files_of_a_nodes_security_are_read_relative_to_the_file_that_names_them()
    {
        using var files = new RecipeText();
        foreach (var name in (string[])["node.pem", "node.key", "password", "ca.pem", "token"]) files.Write(name, name);
        var recipe = files.Write(RecipeText.Least + """
            node.tls { certificate = node.pem, key = node.key, password-file = password, ca = ca.pem }
            node.token-file = token
            """);
        var security = RecipeFile.Load(recipe, []).Node.Security;
        Assert.Equal(new NodeTls(In("node.pem"), In("node.key"), In("password"), In("ca.pem")), security.Tls);
        Assert.Equal(In("token"), security.TokenFile);

        string In(string name) => Path.Combine(files.Folder, name);
    }

    [Theory]
    [InlineData("node.token-file = absent", "'node.token-file' is 'absent'; there is no file ")]
    [InlineData("node.tls.ca = absent", "'node.tls.ca' is 'absent'; there is no file ")]
    [InlineData("node.tls.key = x.hocon", "'node.tls.key' is set, but node.tls.certificate is empty; expected a certificate beside it")]
    [InlineData("node.tls.certificate = x.hocon", "'node.tls.certificate' is set, but node.tls.ca is empty; expected the authorities that sign the nodes' certificates")]
    public void What_is_missing_of_a_nodes_security_is_named(string line, string problem) =>
        Assert.Contains(RecipeText.Problems(RecipeText.Least + line), p => p.Contains(problem));

    [Fact]
    public void The_folders_of_model_and_tokenizer_are_read()
    {
        using var model = new ModelFolder();
        using var other = new ModelFolder();
        string Load(string lines) => RecipeText.Load(RecipeText.Least + "tokenizer.kind = folder\n" + lines).Recipe.ToJson();
        string[] loaded =
        [
            Load($"model.path = {model.Written}"),
            Load($"model.path = {other.Written}"),
            Load($"model.path = {model.Written}\ntokenizer.path = {other.Written}"),
            Load($"tokenizer.path = {other.Written}"),
        ];
        Assert.Equal(4, loaded.Distinct().Count());
    }

    [Fact]
    public void Every_default_of_a_record_is_the_documented_one()
    {
        var loaded = RecipeText.Load(RecipeText.Least + "compare.corpus = plain");
        var recipe = loaded.Recipe;
        Same(
            new ModelSettings { HiddenSize = 128, IntermediateSize = 384, Layers = 4, AttentionHeads = 4, KeyValueHeads = 2, HeadDim = 32 },
            recipe.Model);
        Same(new TokenizerSettings { Kind = TokenizerKind.Bytes }, recipe.Tokenizer);
        Same(new ThoughtMarkers(), recipe.Markers);
        Same(new CorpusSettings { Name = "plain", Kind = CorpusKind.Arithmetic }, Assert.Single(recipe.Corpora));
        Same(new CompareSettings { Corpus = "plain" }, recipe.Compare);
        Same(new NodeSettings(), loaded.Node);
        foreach (var stage in recipe.Stages)
        {
            // Only what a record requires is copied; the rest are its own defaults.
            Same(new StageSettings
            {
                Id = stage.Id,
                Kind = stage.Kind,
                From = stage.Id == "pretrain" ? null : "pretrain",
                Steps = stage.Steps,
                BatchSize = stage.BatchSize,
                Data = stage.Data,
                Optimizer = new OptimizerSettings { LearningRate = stage.Optimizer.LearningRate },
                Rlp = stage.Kind == StageKind.Rlp ? new RlpSettings() : null,
            }, stage);
        }
    }

    private static void Same<T>(T expected, T actual) => Assert.Equal(JsonSerializer.Serialize(expected), JsonSerializer.Serialize(actual));
}
