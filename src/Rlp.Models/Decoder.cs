using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>What all architectures share: embedding, output head, state, costs; and the choice among them.</summary>
public abstract class Decoder : IDecoder
{
    private protected const string Embedding = "embed", Head = "head";

    private protected Decoder(DecoderConfig config, ParameterArena parameters)
    {
        Config = config;
        Parameters = parameters;
        Costs = CostsOf(config, parameters.Layout);
    }

    public DecoderConfig Config { get; }

    public ParameterArena Parameters { get; }

    public DecoderCosts Costs { get; }

    /// <summary>Of the activations.</summary>
    private protected ScalarType DType => Parameters[Embedding].dtype;

    private protected Device Device => Parameters.Values.device;

    /// <summary>The decoder that a config describes, over an arena of <see cref="Layout"/>.</summary>
    public static IDecoder Create(DecoderConfig config, ParameterArena parameters) => config switch
    {
        Qwen3Config qwen3 => new Qwen3Decoder(qwen3, parameters),
        LlamaConfig llama => new LlamaDecoder(llama, parameters),
        NemotronHConfig nemotron => new NemotronHDecoder(nemotron, parameters),
        _ => throw new ArgumentOutOfRangeException(nameof(config), config, "unknown architecture"),
    };

    /// <summary>The arena's layout under Hugging Face's names; what multiplies the same vector lies side by side, so that it is one product.</summary>
    public static ArenaLayout Layout(DecoderConfig config) => config switch
    {
        Qwen3Config qwen3 => Qwen3Decoder.Layout(qwen3),
        LlamaConfig llama => LlamaDecoder.Layout(llama),
        NemotronHConfig nemotron => NemotronHDecoder.Layout(nemotron),
        _ => throw new ArgumentOutOfRangeException(nameof(config), config, "unknown architecture"),
    };

    /// <summary>What a token costs in a decoder of this shape, before there is one.</summary>
    /// <param name="layout">Of <see cref="Layout"/>.</param>
    public static DecoderCosts CostsOf(DecoderConfig config, ArenaLayout layout)
    {
        var embedding = layout.Slots[0].Name; // see AddEmbedding
        var matrices = layout.Slots.Where(s => s.Shape.Length == 2 && (config.TieWordEmbeddings || s.Name != embedding)).Sum(s => s.Length);
        var state = config is NemotronHConfig hybrid ? hybrid.Pattern.Count(c => c == NemotronHConfig.Mamba) * Mamba2Mixer.StateFlops(hybrid) : 0;
        return new DecoderCosts(matrices, (long)config.AttentionLayers * config.AttentionHeads * config.HeadDim, state);
    }

    public void Initialize(long seed) => Parameters.Initialize(seed, Config.Initialization);

    public Tensor Hidden(Tensor tokens) => Run(tokens, null);

    public Tensor Hidden(Tensor tokens, DecoderState state, int[]? padding = null)
    {
        using var noGradient = no_grad();
        state.Expect(tokens, padding);
        var hidden = Run(tokens, state);
        state.Advance((int)tokens.shape[1]);
        return hidden;
    }

    public Tensor Logits(Tensor hidden) => nn.functional.linear(hidden, Parameters[Config.TieWordEmbeddings ? Embedding : Head]);

    public DecoderState NewState(long batch, long capacity) =>
        new(batch, capacity, [.. Enumerable.Range(0, Config.Layers).Select(layer => NewLayerState(layer, batch, capacity))]);

    /// <summary>Null for a layer that looks at nothing but the token.</summary>
    private protected virtual LayerState? NewLayerState(int layer, long batch, long capacity) =>
        new KeyValueState(batch, Config.KeyValueHeads, capacity, Config.HeadDim, DType, Device);

    /// <summary>One layer: [B, T, hidden] to [B, T, hidden], the residual included.</summary>
    private protected abstract Tensor Block(int layer, Tensor x, ForwardPlan plan, DecoderState? state);

    /// <summary>The norm behind the last layer.</summary>
    private protected abstract Tensor FinalNorm(Tensor x);

    private protected static void AddEmbedding(ArenaLayout layout, DecoderConfig config, string name) =>
        layout.AddMatrix(Embedding, config.HiddenSize, (name, config.VocabularySize));

    private protected static void AddHead(ArenaLayout layout, DecoderConfig config)
    {
        if (!config.TieWordEmbeddings) layout.AddMatrix(Head, config.HiddenSize, ("lm_head.weight", config.VocabularySize));
    }

    private Tensor Run(Tensor tokens, DecoderState? state)
    {
        using var scope = NewDisposeScope();
        var plan = new ForwardPlan(tokens, state, DType);
        var x = Parameters[Embedding].index_select(0, tokens.flatten()).view(tokens.shape[0], tokens.shape[1], Config.HiddenSize); // [B, T, H]
        for (var layer = 0; layer < Config.Layers; layer++)
        {
            using var inner = NewDisposeScope(); // without gradient, no layer keeps what the one before it computed
            x = Block(layer, x, plan, state).MoveToOuterDisposeScope();
        }
        return FinalNorm(x).MoveToOuterDisposeScope();
    }

    public abstract void Dispose();
}
