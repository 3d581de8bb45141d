using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Consoles;
using Rlp.Corpora;
using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Configuration;

/// <summary>Maps the keys of rlp.hocon to the records of a recipe and checks what no single key can decide.</summary>
public sealed class RecipeReader(SettingsReader keys)
{
    /// <summary>The sections that hold a training stage.</summary>
    public static IReadOnlyList<string> StageSections { get; } = ["pretrain", "cpt", "cpt-thoughts", "rlp"];

    /// <summary>The id of a stage in records, reports and file names: an underscore where the section has a hyphen.</summary>
    public static string StageId(string section) => section.Replace('-', '_');

    /// <param name="fallbackName">Name of the recipe where it gives none.</param>
    public Recipe Read(string fallbackName)
    {
        var name = keys.Text("name");
        var corpora = keys.Names("corpora").Select(Corpus).ToList();
        var sections = keys.List("stages", StageSections);
        if (sections.Count == 0) keys.Refuse("stages", $"'stages' is empty; name at least one of {string.Join(", ", StageSections)}");
        // Sections that do not run are read as well: a mistake there is a mistake.
        var stages = StageSections.ToDictionary(s => s, Stage);
        var model = Model();
        var markers = Markers();
        var recipe = new Recipe
        {
            Name = name.Length > 0 ? name : fallbackName,
            Seed = keys.WholeNumber("seed", 0),
            Model = model,
            Tokenizer = Tokenizer(model),
            Markers = markers,
            Corpora = corpora,
            Stages = [.. sections.Select(s => stages[s])],
            Compare = Compare(),
        };
        for (var i = 0; i < sections.Count; i++) CheckStage(recipe, sections[i], recipe.Stages[i], [.. sections.Take(i)]);
        CheckCompare(recipe);
        CheckAlphabet(recipe);
        return CheckTokenizer(recipe);
    }

    public NodeSettings ReadNode() => new()
    {
        Threads = keys.Count("node.threads", 0, 4096),
        Device = keys.Choice<NodeDevice>("node.device"),
        Host = keys.Name("node.host"),
        Port = keys.Count("node.port", 0, 65535),
        MemoryBytes = keys.SizeOr("auto", "node.memory"),
        ThoughtBytes = keys.SizeOr("none", "node.thoughts"),
        HttpPort = keys.Count("node.http-port", 0, 65535),
        PbmPort = keys.Count("node.pbm-port", 0, 65535),
        Security = Security(),
        WeightBytesPerSecond = keys.WholeNumber("weights.max-bytes-per-second", 0),
        Journal = Journal(),
        JournalSynchronous = keys.Choice<JournalSynchronous>("journal.synchronous"),
        JournalGiveUpAfter = keys.Duration("journal.give-up-after", TimeSpan.FromSeconds(1), TimeSpan.FromDays(30)),
        Runs = keys.Name("runs"),
        Name = keys.Text("node.name"),
        Roles = keys.List("node.roles", [NodeSettings.Coordinator, .. NodeSettings.WorkerRoles]),
        SeedNodes = keys.Texts("cluster.seed-nodes", "addresses such as 10.0.0.1:4053", IsAddress),
        SplitBrain = keys.Choice("cluster.split-brain", new Dictionary<string, SplitBrainStrategy>
        {
            ["keep-majority"] = SplitBrainStrategy.KeepMajority,
            ["keep-oldest"] = SplitBrainStrategy.KeepOldest,
        }),
        HeartbeatPause = TimeSpan.FromSeconds(keys.Number("cluster.heartbeat-pause", NumberBounds.Positive)),
        StableAfter = TimeSpan.FromSeconds(keys.Number("cluster.stable-after", NumberBounds.Positive)),
        OtlpEndpoint = OtlpEndpoint(),
        TraceRatio = keys.Number("telemetry.trace-ratio", NumberBounds.Share),
    };

    private Uri? OtlpEndpoint()
    {
        const string key = "telemetry.otlp-endpoint";
        var text = keys.Text(key);
        if (text.Length == 0) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https") return uri;
        keys.Refuse(key, $"'{key}' is '{text}'; expected the URL of a collector, such as http://127.0.0.1:4317");
        return null;
    }

    private static bool IsAddress(string text) =>
        text.LastIndexOf(':') is > 0 and var colon && ushort.TryParse(text[(colon + 1)..], out var port) && port > 0;

    private NodeSecurity Security()
    {
        var (certificate, key, password, authorities) =
            (ExistingFile("node.tls.certificate"), ExistingFile("node.tls.key"), ExistingFile("node.tls.password-file"), ExistingFile("node.tls.ca"));
        if (certificate is null)
        {
            foreach (var (name, value) in new[] { ("node.tls.key", key), ("node.tls.password-file", password), ("node.tls.ca", authorities) })
                if (value is not null) keys.Refuse(name, $"'{name}' is set, but node.tls.certificate is empty; expected a certificate beside it");
        }
        else if (authorities is null)
        {
            keys.Refuse("node.tls.certificate", "'node.tls.certificate' is set, but node.tls.ca is empty; expected the authorities that sign the nodes' certificates");
        }
        return new NodeSecurity
        {
            Tls = certificate is null || authorities is null ? null : new NodeTls(certificate, key, password, authorities),
            TokenFile = ExistingFile("node.token-file"),
            AllowPlaintext = keys.Flag("node.allow-plaintext"),
        };
    }

    /// <summary>The full path of a file that must be there; null where none is named.</summary>
    private string? ExistingFile(string key)
    {
        var path = keys.Text(key);
        if (path.Length == 0) return null;
        var full = Path.GetFullPath(path, keys.FolderOf(key));
        if (!File.Exists(full)) keys.Refuse(key, $"'{key}' is '{path}'; there is no file {full}");
        return full;
    }

    /// <summary>Null where neither key says anything: the file of the runs folder, which `--runs` may still change.</summary>
    private JournalSettings? Journal()
    {
        const string key = "journal.connection-string";
        var provider = keys.Choice<JournalProvider>("journal.provider");
        if (keys.TextOrNull(key) is not { } text) return null;
        if (text.Length == 0)
        {
            if (provider != JournalProvider.Sqlite)
                keys.Refuse(key, $"'{key}' is empty; provider {provider.ToString().ToLowerInvariant()} needs one, such as \"Host=db.example;Database=rlp;Username=rlp\"");
            return null;
        }
        try
        {
            return JournalSettings.Of(provider, text);
        }
        catch (ArgumentException e)
        {
            // The value may hold a password: it is not repeated.
            keys.Refuse(key, $"'{key}' cannot be used: {e.Message}");
            return null;
        }
    }

    private ModelSettings Model()
    {
        var model = new ModelSettings
        {
            HiddenSize = keys.Count("model.hidden-size", 1),
            IntermediateSize = keys.Count("model.intermediate-size", 1),
            Layers = keys.Count("model.layers", 1),
            AttentionHeads = keys.Count("model.attention-heads", 1),
            KeyValueHeads = keys.Count("model.key-value-heads", 1),
            HeadDim = keys.Count("model.head-dim", 2),
            RopeTheta = keys.Number("model.rope-theta", NumberBounds.Positive),
            RmsNormEps = keys.Number("model.rms-norm-eps", NumberBounds.Positive),
            TieWordEmbeddings = keys.Flag("model.tie-word-embeddings"),
            InitializerRange = keys.Number("model.initializer-range", NumberBounds.Positive),
            Path = Folder("model.path"),
            Dtype = keys.Choice<WeightType>("model.dtype"),
        };
        if (model.Path is not null) return Pretrained(model);
        if (model.AttentionHeads % model.KeyValueHeads != 0)
            keys.Refuse(
                "model.key-value-heads",
                $"'model.key-value-heads' is '{model.KeyValueHeads}'; expected a divisor of attention-heads ({model.AttentionHeads})");
        if (model.HeadDim % 2 != 0)
            keys.Refuse(
                "model.head-dim",
                $"'model.head-dim' is '{model.HeadDim}'; expected an even number (rotary embeddings turn pairs)");
        return model;
    }

    /// <summary>The sizes are the folder's, whatever the section says.</summary>
    private ModelSettings Pretrained(ModelSettings model)
    {
        if (!Directory.Exists(model.Path)) return model; // refused already
        try
        {
            var (config, identity) = PretrainedModel.Inspect(model.Path);
            return new ModelSettings
            {
                Path = model.Path,
                Identity = identity,
                Dtype = model.Dtype,
                HiddenSize = config.HiddenSize,
                IntermediateSize = config.IntermediateSize,
                Layers = config.Layers,
                AttentionHeads = config.AttentionHeads,
                KeyValueHeads = config.KeyValueHeads,
                HeadDim = config.HeadDim,
                RopeTheta = config is TransformerConfig rotary ? rotary.RopeTheta : model.RopeTheta,
                RmsNormEps = config.RmsNormEps,
                TieWordEmbeddings = config.TieWordEmbeddings,
                InitializerRange = config.InitializerRange,
            };
        }
        catch (ModelFormatException e)
        {
            keys.Refuse("model.path", $"'model.path' is '{keys.Text("model.path")}', which holds no model that can be used: {e.Message}");
            return model;
        }
    }

    /// <summary>The full path of a folder that a key names; null where it names none.</summary>
    private string? Folder(string key)
    {
        var path = keys.Text(key);
        if (path.Length == 0) return null;
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, keys.FolderOf(key)));
        if (!Directory.Exists(full))
            keys.Refuse(key, $"'{key}' is '{path}'; there is no folder {full}. `rlp model pull` downloads a model into one");
        return full;
    }

    private TokenizerSettings Tokenizer(ModelSettings model)
    {
        var tokenizer = new TokenizerSettings
        {
            Kind = keys.Choice<TokenizerKind>("tokenizer.kind"),
            Characters = keys.Text("tokenizer.characters"),
        };
        var path = Folder("tokenizer.path");
        if (tokenizer.Kind == TokenizerKind.Folder)
        {
            if ((path ?? model.Path) is null)
                keys.Refuse("tokenizer.path", "'tokenizer.path' is empty, and so is 'model.path'; tokenizer.kind = folder needs one of them");
            return tokenizer with { Path = path ?? model.Path };
        }
        if (path is not null)
            keys.Refuse("tokenizer.path", "'tokenizer.path' is set; only tokenizer.kind = folder reads a tokenizer from it");
        if (tokenizer.Kind == TokenizerKind.Characters && tokenizer.Characters.Length == 0)
            keys.Refuse(
                "tokenizer.characters",
                "'tokenizer.characters' is empty; expected the alphabet, each character once, or tokenizer.kind = bytes");
        foreach (var twice in tokenizer.Characters.EnumerateRunes().GroupBy(c => c).Where(g => g.Count() > 1))
            keys.Refuse(
                "tokenizer.characters",
                $"'tokenizer.characters' holds {HoconText.Written(twice.Key.ToString())} {twice.Count()} times; expected it once");
        return tokenizer;
    }

    private ThoughtMarkers Markers()
    {
        var markers = new ThoughtMarkers { Begin = keys.Name("thought.begin"), End = keys.Name("thought.end") };
        if (markers.Begin == markers.End && markers.Begin.Length > 0)
            keys.Refuse("thought.end", $"'thought.end' is '{markers.End}', the same as thought.begin; expected two different texts");
        return markers;
    }

    private CorpusSettings Corpus(string name)
    {
        var section = $"corpora.{name}";
        var path = keys.Text($"{section}.path");
        var corpus = new CorpusSettings
        {
            Name = name,
            Kind = keys.Choice<CorpusKind>($"{section}.kind"),
            Path = path.Length == 0 ? null : Path.GetFullPath(path, keys.FolderOf($"{section}.path")),
            Field = keys.Name($"{section}.field"),
            Separator = keys.Text($"{section}.separator"),
            Terms = keys.Count($"{section}.terms", 2, 1000),
            Thoughts = keys.Choice<ArithmeticThoughts>($"{section}.thoughts"),
            ThoughtForm = keys.Choice<ArithmeticThoughtForm>($"{section}.thought-form"),
            Corruption = keys.Number($"{section}.corruption", NumberBounds.Share),
            HeldOut = keys.Number($"{section}.held-out", NumberBounds.ShareBelowOne),
        };
        if (corpus.Kind is CorpusKind.Arithmetic) return corpus;
        var kind = corpus.Kind.ToString().ToLowerInvariant();
        if (corpus.Path is null)
            keys.Refuse($"{section}.path", $"'{section}.path' is empty; a corpus of kind {kind} needs a file");
        else if (!File.Exists(corpus.Path))
            keys.Refuse($"{section}.path", $"'{section}.path' is '{path}'; there is no file {corpus.Path}");
        if (corpus.Thoughts != ArithmeticThoughts.None)
            keys.Refuse(
                $"{section}.thoughts",
                $"'{section}.thoughts' is set; only corpora of kind arithmetic write thoughts, this one is of kind {kind}");
        return corpus;
    }

    private StageSettings Stage(string section)
    {
        var from = keys.Text($"{section}.from");
        var kind = section == "rlp" ? StageKind.Rlp : StageKind.Ntp;
        return new StageSettings
        {
            Id = StageId(section),
            Kind = kind,
            From = from.Length == 0 ? null : StageId(from),
            Steps = keys.WholeNumber($"{section}.steps", 1),
            BatchSize = keys.Count($"{section}.batch-size", 1),
            Data = Mixture($"{section}.data"),
            Optimizer = Optimizer($"{section}.optimizer"),
            Rlp = kind == StageKind.Rlp ? Rlp(section) : null,
            CheckpointEvery = keys.WholeNumber($"{section}.checkpoint-every", 1),
            EvaluateEvery = keys.WholeNumber($"{section}.evaluate-every", 0),
            ContextLength = keys.Count($"{section}.context-length", 2),
            MicroBatchTokens = keys.Count($"{section}.micro-batch-tokens", 1),
            ActivationCheckpointing = keys.Flag($"{section}.activation-checkpointing"),
        };
    }

    private List<MixturePart> Mixture(string section) =>
        [.. keys.Names(section)
            .Select(n => new MixturePart(n, keys.Number($"{section}.{n}", NumberBounds.NotNegative)))
            .Where(p => p.Weight > 0)];

    private OptimizerSettings Optimizer(string section) => new()
    {
        LearningRate = keys.Number($"{section}.learning-rate", NumberBounds.Positive),
        FinalLearningRate = keys.Number($"{section}.final-learning-rate", NumberBounds.NotNegative),
        Schedule = keys.Choice<LearningRateSchedule>($"{section}.schedule"),
        WarmupSteps = keys.WholeNumber($"{section}.warmup-steps", 0),
        Beta1 = keys.Number($"{section}.beta1", NumberBounds.ShareBelowOne),
        Beta2 = keys.Number($"{section}.beta2", NumberBounds.ShareBelowOne),
        Epsilon = keys.Number($"{section}.epsilon", NumberBounds.Positive),
        WeightDecay = keys.Number($"{section}.weight-decay", NumberBounds.NotNegative),
        MaxGradNorm = keys.Number($"{section}.max-grad-norm", NumberBounds.NotNegative),
    };

    private RlpSettings Rlp(string section) => new()
    {
        GroupSize = keys.Count($"{section}.group-size", 2),
        Temperature = keys.Number($"{section}.temperature", NumberBounds.Positive),
        MaxThoughtTokens = keys.Count($"{section}.max-thought-tokens", 1),
        MinThoughtTokens = keys.Count($"{section}.min-thought-tokens", 2) is var least && least > 2 ? least : null,
        TopK = keys.Count($"{section}.top-k", 0) is var k && k > 0 ? k : null,
        TopP = keys.Number($"{section}.top-p", NumberBounds.ShareAboveZero) is var p && p < 1 ? p : null,
        MinP = keys.Number($"{section}.min-p", NumberBounds.ShareBelowOne) is var share && share > 0 ? share : null,
        Positions = Positions($"{section}.positions"),
        EpsilonLow = keys.Number($"{section}.epsilon-low", NumberBounds.Share),
        EpsilonHigh = keys.Number($"{section}.epsilon-high", NumberBounds.NotNegative),
        Beta = keys.Number($"{section}.beta", NumberBounds.NotNegative),
        Tau = keys.Number($"{section}.tau", NumberBounds.Share),
        Lanes = keys.Count($"{section}.lanes", 1),
        Staleness = keys.Count($"{section}.staleness", 0, RlpSettings.MaximumStaleness),
    };

    private PositionSettings Positions(string section) => new()
    {
        Strategy = keys.Choice<PositionStrategyKind>($"{section}.strategy"),
        Every = keys.Count($"{section}.every", 1),
        Marker = keys.Text($"{section}.marker"),
    };

    private CompareSettings? Compare()
    {
        var corpus = keys.Text("compare.corpus");
        var compare = new CompareSettings
        {
            Corpus = corpus,
            Problems = keys.Count("compare.problems", 1),
            Samples = keys.Count("compare.samples", 1),
            Temperature = keys.Number("compare.temperature", NumberBounds.Positive),
            ProblemsWhileTraining = keys.Count("compare.problems-while-training", 1),
            Positions = Positions("compare.positions"),
            MaxThoughtTokens = keys.Count("compare.max-thought-tokens", 1),
        };
        return corpus.Length == 0 ? null : compare;
    }

    private void CheckStage(Recipe recipe, string section, StageSettings stage, IReadOnlyList<string> earlier)
    {
        var names = recipe.Corpora.Select(c => c.Name).ToArray();
        foreach (var part in stage.Data.Where(p => !names.Contains(p.Corpus)))
            keys.Refuse(
                $"{section}.data.{part.Corpus}",
                $"'{section}.data' names '{part.Corpus}', which 'corpora' does not hold{NearestName.Question(part.Corpus, names)}");
        if (stage.Data.Count == 0)
            keys.Refuse(
                $"{section}.data",
                $"'{section}.data' gives no corpus a weight above 0; write '{section}.data {{ {names.FirstOrDefault("NAME")} = 1 }}'");

        if (stage.From is not null && !earlier.Select(StageId).Contains(stage.From))
            keys.Refuse(
                $"{section}.from",
                $"'{section}.from' is '{keys.Text($"{section}.from")}', which does not run before {section}; expected "
                + $"{string.Join(", ", earlier)}{(earlier.Count == 0 ? "" : " or ")}\"\" ({(recipe.Model.Path is null ? "random weights" : "the model of model.path")})");

        if (stage.EvaluateEvery > 0 && recipe.Compare is null)
            keys.Refuse(
                $"{section}.evaluate-every",
                $"'{section}.evaluate-every' is '{stage.EvaluateEvery}', but 'compare.corpus' names no corpus to evaluate on");
        if (stage.Rlp is not { } rlp) return;
        CheckPositions($"{section}.positions", rlp.Positions);
        if (rlp.MinThoughtTokens > rlp.MaxThoughtTokens)
            keys.Refuse(
                $"{section}.min-thought-tokens",
                $"'{section}.min-thought-tokens' is '{rlp.MinThoughtTokens}'; expected at most {section}.max-thought-tokens, which is {rlp.MaxThoughtTokens}");
        if (rlp.Lanes > stage.BatchSize)
            keys.Refuse(
                $"{section}.lanes",
                $"'{section}.lanes' is '{rlp.Lanes}'; expected at most {section}.batch-size, which is {stage.BatchSize}");
    }

    private void CheckPositions(string section, PositionSettings positions)
    {
        if (positions is { Strategy: PositionStrategyKind.Marker, Marker: "" })
            keys.Refuse(
                $"{section}.marker",
                $"'{section}.marker' is empty; the strategy 'marker' needs the text before the scored token");
    }

    private void CheckCompare(Recipe recipe)
    {
        if (recipe.Compare is not { } compare) return;
        CheckPositions("compare.positions", compare.Positions);
        var names = recipe.Corpora.Select(c => c.Name).ToArray();
        if (recipe.Corpora.FirstOrDefault(c => c.Name == compare.Corpus) is not { } corpus)
            keys.Refuse(
                "compare.corpus",
                $"'compare.corpus' is '{compare.Corpus}', which 'corpora' does not hold{NearestName.Question(compare.Corpus, names)}");
        else if (corpus.Thoughts != ArithmeticThoughts.None)
            keys.Refuse(
                "compare.corpus",
                $"'compare.corpus' is '{compare.Corpus}', whose documents hold thoughts; expected a corpus with thoughts = none");
        else if (corpus.HeldOut == 0)
            keys.Refuse(
                "compare.corpus",
                $"'compare.corpus' is '{compare.Corpus}', which holds nothing out; set corpora.{compare.Corpus}.held-out above 0");
    }

    /// <summary>A character tokenizer must know what the synthetic corpora and the position markers are made of.</summary>
    private void CheckAlphabet(Recipe recipe)
    {
        if (recipe.Tokenizer.Kind != TokenizerKind.Characters || recipe.Tokenizer.Characters.Length == 0) return;
        var needs = new List<(string Characters, string For)>();
        foreach (var corpus in recipe.Corpora.Where(c => c.Kind == CorpusKind.Arithmetic))
            needs.Add(("0123456789+-=\n" + (corpus.Thoughts != ArithmeticThoughts.None && corpus.ThoughtForm == ArithmeticThoughtForm.Totals ? "," : ""), $"corpus '{corpus.Name}'"));
        if (recipe.Compare?.Positions is { Strategy: PositionStrategyKind.Marker } compared)
            needs.Add((compared.Marker, "compare.positions.marker"));
        foreach (var stage in recipe.Stages)
            if (stage.Rlp?.Positions is { Strategy: PositionStrategyKind.Marker } positions)
                needs.Add((positions.Marker, $"{stage.Id}.positions.marker"));
        foreach (var (characters, reason) in needs)
            foreach (var missing in characters.EnumerateRunes().Except(recipe.Tokenizer.Characters.EnumerateRunes()))
                keys.Refuse(
                    "tokenizer.characters",
                    $"'tokenizer.characters' lacks {HoconText.Written(missing.ToString())}, which {reason} needs");
    }

    /// <summary>Opens the tokenizer of a folder: it must have the thought markers, and the model a row for each of its tokens.</summary>
    private Recipe CheckTokenizer(Recipe recipe)
    {
        if (recipe.Tokenizer.Kind != TokenizerKind.Folder)
        {
            if (recipe.Model.Path is { } model && TokenizerFolder.Holds(model))
                keys.Refuse(
                    "tokenizer.kind",
                    $"'tokenizer.kind' is '{keys.Text("tokenizer.kind")}', but {model} holds the model's own tokenizer; expected folder");
            return recipe;
        }
        if (recipe.Tokenizer.Path is not { } path || !Directory.Exists(path) || recipe.Markers.Begin == recipe.Markers.End) return recipe; // refused already
        var key = keys.Text("tokenizer.path").Length > 0 ? "tokenizer.path" : "model.path";
        try
        {
            var tokenizer = RecipeNetwork.Tokenizer(recipe);
            if (recipe.Model.Identity is not null) RecipeNetwork.Config(recipe, tokenizer);
            return recipe with { Tokenizer = recipe.Tokenizer with { Fingerprint = tokenizer.Fingerprint } };
        }
        catch (ModelFormatException e)
        {
            keys.Refuse(key, $"'{key}' is '{keys.Text(key)}', whose tokenizer cannot be used: {e.Message}");
            return recipe;
        }
    }
}
