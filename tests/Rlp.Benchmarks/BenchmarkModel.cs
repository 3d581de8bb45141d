using Rlp.Models;
using Rlp.Training.Engines;
using Rlp.Training.Measurement;
using static TorchSharp.torch;

namespace Rlp.Benchmarks;

/// <summary>A decoder with random weights, and data for it.</summary>
internal sealed class BenchmarkModel : IDisposable
{
    /// <summary>The model that issue 4 names: 9.0 million weights, of which a million are the tied embedding.</summary>
    public static readonly Qwen3Config TenMillion = new()
    {
        VocabularySize = 4096,
        HiddenSize = 256,
        IntermediateSize = 768,
        Layers = 10,
        AttentionHeads = 8,
        KeyValueHeads = 4,
        HeadDim = 32,
        InitializerRange = 0.05,
    };

    /// <summary>For smoke tests and for a soak.</summary>
    public static readonly Qwen3Config Small = new()
    {
        VocabularySize = 256,
        HiddenSize = 64,
        IntermediateSize = 128,
        Layers = 2,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 16,
        InitializerRange = 0.05,
    };

    public BenchmarkModel(Qwen3Config config, bool trainable, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        Config = config;
        Parameters = new ParameterArena(Rlp.Models.Decoder.Layout(config), trainable, device, dtype);
        Decoder = Rlp.Models.Decoder.Create(config, Parameters);
        Tokenizer = new BareVocabulary(config.VocabularySize);
        if (Parameters.Master.device_type == TorchSharp.DeviceType.CPU) Decoder.Initialize(1);
        else DrawOnDevice();
        SpreadNorms();
    }

    public Qwen3Config Config { get; }

    public ParameterArena Parameters { get; }

    public IDecoder Decoder { get; }

    public string Description => $"Qwen3 of {Parameters.Layout.ParameterCount / 1e6:0.0} M parameters, {(Parameters.Dtype == ScalarType.Float32 ? "fp32" : "bf16")}";

    public BareVocabulary Tokenizer { get; }

    /// <summary>Positions with random prefixes of one length (tokens, begin marker not included), the groups numbered from 0.</summary>
    public GroupPosition[] Positions(int count, int prefix)
    {
        var random = new Random(count * 10_007 + prefix);
        return [.. Enumerable.Range(0, count).Select(group => new GroupPosition(group, Tokens(random, prefix), random.Next(Tokenizer.Ordinary)))];
    }

    /// <summary>Documents of random tokens.</summary>
    public int[][] Documents(int count, int length) => Tokenizer.Documents(count, length, seed: count + length);

    private int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(Tokenizer.Ordinary))];

    /// <summary>Norm weights that differ, or exchanging two of them would go unnoticed in a comparison.</summary>
    private void SpreadNorms()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        foreach (var slot in Parameters.Layout.Slots.Where(s => s.Shape.Length == 1))
            Parameters.View(slot).add_(randn(slot.Shape, generator: generator).to(Parameters.Master.device), 0.1);
        Parameters.RoundMaster();
    }

    /// <summary>Values of the same distribution, which need not travel.</summary>
    private void DrawOnDevice()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Parameters.Master.normal_(0, Config.InitializerRange);
        foreach (var slot in Parameters.Layout.Slots.Where(s => s.Shape.Length == 1)) Parameters.View(slot).fill_(1);
    }

    public void Dispose()
    {
        Decoder.Dispose();
        Parameters.Dispose();
    }
}
