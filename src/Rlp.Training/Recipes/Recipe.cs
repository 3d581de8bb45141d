using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Rlp.Corpora;
using Rlp.Training.Sampling;

namespace Rlp.Training.Recipes;

/// <summary>
/// Everything that decides the numbers of a run. Two runs with equal recipes (and seed, machine kind and thread count) give equal bits.
/// Read from HOCON by the command line; carried between actors and journaled as the JSON of <see cref="ToJson"/>.
/// </summary>
public sealed record Recipe
{
    public required string Name { get; init; }

    /// <summary>Seed of initial weights, data order and sampling.</summary>
    public required long Seed { get; init; }

    public required ModelSettings Model { get; init; }

    public required TokenizerSettings Tokenizer { get; init; }

    public required ThoughtMarkers Markers { get; init; }

    /// <summary>The corpora by name; stages refer to these names.</summary>
    public required IReadOnlyList<CorpusSettings> Corpora { get; init; }

    /// <summary>The training stages in the order in which they run.</summary>
    public required IReadOnlyList<StageSettings> Stages { get; init; }

    /// <summary>How the stages are compared at the end; null runs no comparison.</summary>
    public CompareSettings? Compare { get; init; }

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>The canonical text of the recipe: what is journaled and digested.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <exception cref="JsonException">The text is not a recipe of this version.</exception>
    public static Recipe FromJson(string json) => JsonSerializer.Deserialize<Recipe>(json, Json)!;

    /// <summary>Lower-case hexadecimal SHA-256 of <see cref="ToJson"/>.</summary>
    [JsonIgnore]
    public string Digest => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToJson())));

    /// <exception cref="KeyNotFoundException">No stage has that id.</exception>
    public StageSettings Stage(string id) =>
        Stages.FirstOrDefault(s => s.Id == id) ?? throw new KeyNotFoundException($"recipe '{Name}' has no stage '{id}'");
}

/// <summary>What a model computes in.</summary>
public enum WeightType
{
    Float32,

    /// <summary>Weights and gradients of a pass; what is trained is kept, updated and saved in float32, see
    /// <see cref="Rlp.Models.ParameterArena.Master"/>.</summary>
    Bfloat16,
}

/// <summary>
/// The model of a folder, or without one a Qwen3-shaped decoder with random weights, in the terms of a Hugging Face config.json; its vocabulary
/// size is the tokenizer's.
/// </summary>
public sealed record ModelSettings
{
    /// <summary>
    /// A Hugging Face folder: the architecture, the sizes and the weights of the stages that start from no other are its. Null: none.
    /// </summary>
    public string? Path { get; init; }

    /// <summary>
    /// Which model lay there when the recipe was read, see <see cref="Rlp.Models.HuggingFaceFolder.Identity"/>: being part of the recipe's digest,
    /// it keeps a run from going on with another.
    /// </summary>
    public string? Identity { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public WeightType Dtype { get; init; }

    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int Layers { get; init; }
    public required int AttentionHeads { get; init; }
    public required int KeyValueHeads { get; init; }
    public required int HeadDim { get; init; }
    public double RopeTheta { get; init; } = 10_000;
    public double RmsNormEps { get; init; } = 1e-6;
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Standard deviation of the initial weights.</summary>
    public double InitializerRange { get; init; } = 0.02;
}

public enum TokenizerKind
{
    Characters,
    Bytes,

    /// <summary>That of a model's folder: byte-level BPE or SentencePiece.</summary>
    Folder,
}

public sealed record TokenizerSettings
{
    public required TokenizerKind Kind { get; init; }

    /// <summary>The alphabet of <see cref="TokenizerKind.Characters"/>, one token each; unused otherwise.</summary>
    public string Characters { get; init; } = "";

    /// <summary>The folder of <see cref="TokenizerKind.Folder"/>; null otherwise.</summary>
    public string? Path { get; init; }

    /// <summary>Of the tokenizer that lay there when the recipe was read.</summary>
    public string? Fingerprint { get; init; }
}

/// <summary>The two markers around a thought. Each is one token; the begin marker is forced, the end marker is sampled (PAPER.md section 2).</summary>
public sealed record ThoughtMarkers
{
    public string Begin { get; init; } = "<think>";
    public string End { get; init; } = "</think>";
}

public enum CorpusKind
{
    Arithmetic,
    Text,
    Jsonl,
}

public sealed record CorpusSettings
{
    public required string Name { get; init; }
    public required CorpusKind Kind { get; init; }

    /// <summary>File of <see cref="CorpusKind.Text"/> and <see cref="CorpusKind.Jsonl"/>.</summary>
    public string? Path { get; init; }

    /// <summary>The key of a JSON line that holds the document's text.</summary>
    public string Field { get; init; } = "text";

    /// <summary>What separates the documents of a plain text file; empty: the whole file is one document.</summary>
    public string Separator { get; init; } = "\n\n";

    /// <summary>Terms of an arithmetic chain.</summary>
    public int Terms { get; init; } = 5;

    public ArithmeticThoughts Thoughts { get; init; } = ArithmeticThoughts.None;

    public ArithmeticThoughtForm ThoughtForm { get; init; } = ArithmeticThoughtForm.Results;

    /// <summary>Probability in [0, 1] that a digit of a corrupted thought is wrong.</summary>
    public double Corruption { get; init; } = 0.3;

    /// <summary>Share of the documents, in [0, 1), that training never sees.</summary>
    public double HeldOut { get; init; } = 0.1;
}

/// <summary>One corpus of a mixture with its share (shares are relative to their sum).</summary>
public sealed record MixturePart(string Corpus, double Weight);

public enum StageKind
{
    /// <summary>Next-token prediction: pretraining and continued pretraining (CPT).</summary>
    Ntp,

    /// <summary>Algorithm 1 of the paper.</summary>
    Rlp,
}

public sealed record StageSettings
{
    /// <summary>pretrain, cpt, cpt_thoughts or rlp.</summary>
    public required string Id { get; init; }

    public required StageKind Kind { get; init; }

    /// <summary>The stage whose final weights this one starts from; null starts from the model of <see cref="ModelSettings.Path"/>, or from random weights.</summary>
    public string? From { get; init; }

    /// <summary>Optimizer steps.</summary>
    public required long Steps { get; init; }

    /// <summary>Documents (NTP) or positions (RLP: B of the paper) per step.</summary>
    public required int BatchSize { get; init; }

    public required IReadOnlyList<MixturePart> Data { get; init; }

    public required OptimizerSettings Optimizer { get; init; }

    /// <summary>Set when and only when <see cref="Kind"/> is <see cref="StageKind.Rlp"/>.</summary>
    public RlpSettings? Rlp { get; init; }

    /// <summary>Steps between two checkpoints; the last step of a stage always commits one.</summary>
    public long CheckpointEvery { get; init; } = 100;

    /// <summary>Steps between two evaluations of the policy on held-out problems; 0 never evaluates before the end.</summary>
    public long EvaluateEvery { get; init; }

    /// <summary>Tokens after which a document is cut.</summary>
    public int ContextLength { get; init; } = 1024;

    /// <summary>Padded tokens of one forward and backward pass; a larger batch adds up the gradients of several. Decides memory, and the last bits.</summary>
    public int MicroBatchTokens { get; init; } = 16_384;

    /// <summary>Whether the learner keeps only each layer's input and computes the layer again in the backward pass.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool ActivationCheckpointing { get; init; }
}

public enum LearningRateSchedule
{
    Constant,
    Linear,
    Cosine,
}

public sealed record OptimizerSettings
{
    public required double LearningRate { get; init; }

    /// <summary>Where a linear or cosine schedule ends.</summary>
    public double FinalLearningRate { get; init; }

    public LearningRateSchedule Schedule { get; init; } = LearningRateSchedule.Constant;

    /// <summary>Steps over which the rate rises linearly from zero.</summary>
    public long WarmupSteps { get; init; }

    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.95;
    public double Epsilon { get; init; } = 1e-8;
    public double WeightDecay { get; init; }

    /// <summary>The gradient is scaled down to this 2-norm when it is longer; 0 never clips.</summary>
    public double MaxGradNorm { get; init; } = 1.0;
}

public enum PositionStrategyKind
{
    /// <summary>The document's last token.</summary>
    Last,

    /// <summary>One position per document, uniformly chosen.</summary>
    Uniform,

    /// <summary>Every k-th position.</summary>
    Every,

    /// <summary>The position after each occurrence of a marker text.</summary>
    Marker,
}

public sealed record PositionSettings
{
    public PositionStrategyKind Strategy { get; init; } = PositionStrategyKind.Uniform;

    /// <summary>k of <see cref="PositionStrategyKind.Every"/>.</summary>
    public int Every { get; init; } = 64;

    /// <summary>The text before the scored token, for <see cref="PositionStrategyKind.Marker"/>.</summary>
    public string Marker { get; init; } = "";
}

/// <summary>The settings of Algorithm 1; names and defaults of PAPER.md sections 1 and 4.</summary>
public sealed record RlpSettings
{
    /// <summary>G: thoughts per position, at least 2.</summary>
    public int GroupSize { get; init; } = 16;

    /// <summary>T: sampling temperature of the thoughts, above 0.</summary>
    public double Temperature { get; init; } = 0.7;

    /// <summary>Longest thought in tokens, the end marker included.</summary>
    public int MaxThoughtTokens { get; init; } = 2048;

    /// <summary>Shortest thought in tokens, the end marker included; null: 2, for a thought is never empty.</summary>
    public int? MinThoughtTokens { get; init; }

    /// <summary>Thoughts are drawn from the k most probable tokens only; null: from all.</summary>
    public int? TopK { get; init; }

    /// <summary>Thoughts are drawn from the fewest tokens whose probabilities sum to this; null: from all.</summary>
    public double? TopP { get; init; }

    /// <summary>Thoughts are drawn from tokens of at least this share of the greatest probability; null: from all.</summary>
    public double? MinP { get; init; }

    /// <summary>How thoughts are drawn.</summary>
    [JsonIgnore]
    public SamplingSettings Sampling => new()
    {
        Temperature = Temperature,
        MaxThoughtTokens = MaxThoughtTokens,
        MinThoughtTokens = MinThoughtTokens ?? 2,
        TopK = TopK ?? 0,
        TopP = TopP ?? 1,
        MinP = MinP ?? 0,
    };

    public PositionSettings Positions { get; init; } = new();

    /// <summary>Lower and upper clip range of the importance ratio (eq. 8); the paper does not state its values.</summary>
    public double EpsilonLow { get; init; } = 0.2;

    public double EpsilonHigh { get; init; } = 0.28;

    /// <summary>beta: weight of the KL penalty to the stage's initial weights; 0 is the paper's best.</summary>
    public double Beta { get; init; }

    /// <summary>tau: decay of the EMA teacher.</summary>
    public double Tau { get; init; } = 0.999;

    /// <summary>Logical slices of a step's groups. Part of the recipe because the shapes of a batch decide its bits.</summary>
    public int Lanes { get; init; } = 1;

    /// <summary>
    /// k, from 0 to <see cref="MaximumStaleness"/>: step s is sampled with the policy after step max(0, s - 1 - k), exactly, so that k steps can
    /// be sampled while an earlier one is learned. 0, the paper's, is on-policy.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Staleness { get; init; }

    /// <summary>Each version between sampler and learner takes a copy of policy and teacher.</summary>
    public const int MaximumStaleness = 8;

    /// <summary>Optimizer steps in the policy that samples the thoughts of a step, and in the teacher that scores them.</summary>
    public long BehaviourVersion(long step) => Math.Max(0, step - 1 - Staleness);
}

/// <summary>The evaluation that ends a recipe: accuracy with and without thinking on held-out problems.</summary>
public sealed record CompareSettings
{
    /// <summary>The corpus whose held-out documents are the problems (documents without thoughts).</summary>
    public required string Corpus { get; init; }

    public int Problems { get; init; } = 500;

    /// <summary>Answers sampled per problem (avg@k).</summary>
    public int Samples { get; init; } = 8;

    public double Temperature { get; init; } = 1.0;

    /// <summary>Problems of the evaluations inside a stage (<see cref="StageSettings.EvaluateEvery"/>).</summary>
    public int ProblemsWhileTraining { get; init; } = 64;

    public PositionSettings Positions { get; init; } = new();

    public int MaxThoughtTokens { get; init; } = 64;
}
