using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>Small random decoders of every architecture for tests.</summary>
internal static class TinyModels
{
    /// <summary>Tokens that the Mamba layers below scan at once.</summary>
    public const int Chunk = 8;

    public static IReadOnlyDictionary<string, DecoderConfig> Configs { get; } = new Dictionary<string, DecoderConfig>
    {
        ["qwen3"] = Config(),
        ["qwen3, all heads with keys, untied"] = Config(4, 4, 6, tied: false),
        ["qwen3, three heads wider than hidden on one KV head, untied"] = Config(3, 1, 8, tied: false),
        ["qwen3, one head"] = Config(1, 1, 2),
        ["llama"] = Llama(),
        ["llama, three heads wider than hidden on one KV head, biases, untied"] =
            Llama() with { AttentionHeads = 3, KeyValueHeads = 1, HeadDim = 8, AttentionBias = true, MlpBias = true, TieWordEmbeddings = false },
        ["llama, llama3 frequencies, attention biases"] =
            Llama() with { HeadDim = 12, AttentionBias = true, RopeScaling = new Llama3RopeScaling(8, 1, 4, 16) },
        ["llama, linear frequencies, MLP biases"] = Llama() with { MlpBias = true, RopeScaling = new LinearRopeScaling(4) },
        ["nemotron M"] = Nemotron("M"),
        ["nemotron M, one group, no convolution bias"] = Nemotron("M", groups: 1) with { ConvolutionBias = false, ConvolutionKernel = 3 },
        ["nemotron MM*-"] = Nemotron("MM*-", groups: 4),
        ["nemotron *-"] = Nemotron("*-"),
        ["nemotron -M-M*, all biases, tied, clamped time steps"] = Nemotron("-M-M*", groups: 1) with
        {
            MambaBias = true,
            AttentionBias = true,
            MlpBias = true,
            TieWordEmbeddings = true,
            TimeStepLimit = (0.03, 0.09),
            InitialTimeStep = (0.02, 0.12, 1e-4), // on both sides of both limits
            ResidualInFloat32 = true,
        },
        ["nemotron MM, long time steps in one chunk"] = Nemotron("MM") with { InitialTimeStep = (0.3, 3, 0), ChunkSize = 64, ConvolutionKernel = 2 },
        ["nemotron M*, kernel of one, head of one"] = Nemotron("M*") with { ConvolutionKernel = 1, MambaHeadDim = 1, StateSize = 3, AttentionHeads = 3, KeyValueHeads = 1, HeadDim = 7 },
    };

    public static TheoryData<string> Names => [.. Configs.Keys];

    public static Qwen3Config Config(int heads = 4, int kvHeads = 2, int headDim = 6, bool tied = true) => new()
    {
        VocabularySize = 23,
        HiddenSize = 20,
        IntermediateSize = 28,
        Layers = 2,
        AttentionHeads = heads,
        KeyValueHeads = kvHeads,
        HeadDim = headDim,
        TieWordEmbeddings = tied,
        InitializerRange = 0.2,
    };

    public static LlamaConfig Llama() => new()
    {
        VocabularySize = 23,
        HiddenSize = 20,
        IntermediateSize = 28,
        Layers = 2,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 6,
        InitializerRange = 0.2,
    };

    public static NemotronHConfig Nemotron(string pattern, int groups = 2) => new()
    {
        VocabularySize = 23,
        HiddenSize = 20,
        IntermediateSize = 28,
        Layers = pattern.Length,
        Pattern = pattern,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 6,
        MambaHeads = 4,
        MambaHeadDim = 6,
        MambaGroups = groups,
        StateSize = 5,
        ChunkSize = Chunk,
        TieWordEmbeddings = false,
        InitializerRange = 0.2,
        RmsNormEps = 1e-5,
    };

    public static IDecoder Random(string name, long seed = 1, bool trainable = true) => Random(Configs[name], seed, trainable);

    public static IDecoder Random(DecoderConfig config, long seed = 1, bool trainable = true)
    {
        var parameters = new ParameterArena(Decoder.Layout(config), trainable);
        var decoder = Decoder.Create(config, parameters);
        decoder.Initialize(seed);
        // Norm weights away from one and biases away from zero, so that a forgotten one shows.
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed + 1);
        foreach (var slot in parameters.Layout.Slots.Where(s => s.Shape.Length == 1))
        {
            using var view = parameters.View(slot);
            view.PlusInPlace(randn(slot.Shape, generator: generator).TimesInPlace(0.3));
        }
        return decoder;
    }

    public static Tensor Tokens(int rows, int length, int seed = 1)
    {
        using var generator = new Generator((ulong)seed);
        return randint(0, 23, [rows, length], dtype: int64, generator: generator);
    }

    public static double LargestDifference(Tensor a, Tensor b) => (a - b).abs().max().to(float64).item<double>();
}
