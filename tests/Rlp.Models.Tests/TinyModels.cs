using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>Small random decoders for tests.</summary>
internal static class TinyModels
{
    public static DecoderConfig Config(int heads = 4, int kvHeads = 2, int headDim = 6, bool tied = true) => new()
    {
        VocabularySize = 23,
        HiddenSize = 20,
        IntermediateSize = 28,
        Layers = 2,
        AttentionHeads = heads,
        KeyValueHeads = kvHeads,
        HeadDim = headDim,
        TieWordEmbeddings = tied,
    };

    public static Qwen3Decoder Random(DecoderConfig config, long seed = 1, bool trainable = true)
    {
        var parameters = new ParameterArena(Qwen3Decoder.Layout(config), trainable);
        parameters.Initialize(seed, 0.3);
        // Norm weights away from one, so that a forgotten one shows.
        using var noGradient = no_grad();
        using var generator = new Generator((ulong)seed + 1);
        foreach (var slot in parameters.Layout.Slots.Where(s => s.Shape.Length == 1))
        {
            using var view = parameters.View(slot);
            view.add_(randn(slot.Shape, generator: generator).mul_(0.3));
        }
        return new Qwen3Decoder(config, parameters);
    }

    public static Tensor Tokens(int rows, int length, int seed = 1)
    {
        using var generator = new Generator((ulong)seed);
        return randint(0, 23, [rows, length], dtype: int64, generator: generator);
    }

    public static double LargestDifference(Tensor a, Tensor b) => (a - b).abs().max().to(float64).item<double>();
}
