using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Training.Engines;

namespace Rlp.Training.Tests;

/// <summary>A random decoder over the arithmetic alphabet.</summary>
internal sealed class TinyPolicy : IDisposable
{
    public TinyPolicy(long seed = 1, double range = 0.3, bool trainable = true)
    {
        Config = new DecoderConfig
        {
            VocabularySize = Tokenizer.VocabularySize,
            HiddenSize = 16,
            IntermediateSize = 24,
            Layers = 2,
            AttentionHeads = 4,
            KeyValueHeads = 2,
            HeadDim = 4,
        };
        Parameters = new ParameterArena(Qwen3Decoder.Layout(Config), trainable);
        Parameters.Initialize(seed, range);
        Decoder = new Qwen3Decoder(Config, Parameters);
    }

    public ITokenizer Tokenizer { get; } = new CharacterTokenizer("0123456789+-=\n");

    public DecoderConfig Config { get; }

    public ParameterArena Parameters { get; }

    public Qwen3Decoder Decoder { get; }

    public IReadOnlyList<GroupPosition> Positions(params string[] prefixes) =>
        [.. prefixes.Select((p, i) => new GroupPosition(i, Tokenizer.Encode(p), Tokenizer.Encode($"{i % 10}")[0]))];

    public void Dispose()
    {
        Decoder.Dispose();
        Parameters.Dispose();
    }
}
