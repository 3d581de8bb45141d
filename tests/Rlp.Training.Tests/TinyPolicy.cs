using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Engines;
using static TorchSharp.torch;

namespace Rlp.Training.Tests;

/// <summary>A random decoder over the arithmetic alphabet.</summary>
internal sealed class TinyPolicy : IDisposable
{
    /// <param name="spareRows">Rows of the model's vocabulary beyond the tokenizer's.</param>
    public TinyPolicy(
        long seed = 1, double range = 0.3, bool trainable = true, string architecture = "qwen3", int spareRows = 0,
        ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        DecoderConfig config = architecture switch
        {
            "qwen3" => new Qwen3Config
            {
                VocabularySize = Tokenizer.VocabularySize + spareRows,
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 2,
                AttentionHeads = 4,
                KeyValueHeads = 2,
                HeadDim = 4,
            },
            "llama" => new LlamaConfig
            {
                VocabularySize = Tokenizer.VocabularySize + spareRows,
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 2,
                AttentionHeads = 3,
                KeyValueHeads = 1,
                HeadDim = 6,
                AttentionBias = true,
                RopeScaling = new Llama3RopeScaling(4, 1, 4, 16),
                TieWordEmbeddings = false,
            },
            "nemotron" => new NemotronHConfig
            {
                VocabularySize = Tokenizer.VocabularySize + spareRows,
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 4,
                Pattern = "MM*-",
                AttentionHeads = 4,
                KeyValueHeads = 2,
                HeadDim = 4,
                MambaHeads = 4,
                MambaHeadDim = 4,
                MambaGroups = 2,
                StateSize = 6,
                ChunkSize = 4,
                TieWordEmbeddings = false,
            },
            _ => throw new ArgumentOutOfRangeException(nameof(architecture), architecture, null),
        };
        Parameters = new ParameterArena(Rlp.Models.Decoder.Layout(config), trainable, device, dtype);
        Decoder = Rlp.Models.Decoder.Create(config with { InitializerRange = range }, Parameters);
        Decoder.Initialize(seed);
    }

    public static TheoryData<string> Architectures => ["qwen3", "llama", "nemotron"];

    public ITokenizer Tokenizer { get; } = new CharacterTokenizer("0123456789+-=\n");

    public ParameterArena Parameters { get; }

    public IDecoder Decoder { get; }

    public IReadOnlyList<GroupPosition> Positions(params string[] prefixes) =>
        [.. prefixes.Select((p, i) => new GroupPosition(i, Tokenizer.Encode(p), Tokenizer.Encode($"{i % 10}")[0]))];

    public void Dispose()
    {
        Decoder.Dispose();
        Parameters.Dispose();
    }
}
