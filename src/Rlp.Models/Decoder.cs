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

    public bool RecomputesActivations { get; set; }

    /// <summary>Of the activations.</summary>
    private protected ScalarType DType => Parameters[Embedding].dtype;

    private protected Device Device => Parameters.Values.device;

    /// <summary>The decoder that a config describes, over an arena of <see cref="Layout"/>.</summary>
    public static IDecoder Create(DecoderConfig config, ParameterArena parameters) => config switch
    {
        TransformerConfig transformer => new TransformerDecoder(transformer, parameters),
        NemotronHConfig nemotron => new NemotronHDecoder(nemotron, parameters),
        _ => throw new ArgumentOutOfRangeException(nameof(config), config, "unknown architecture"),
    };

    /// <summary>The arena's layout under Hugging Face's names; what multiplies the same vector lies side by side, so that it is one product.</summary>
    public static ArenaLayout Layout(DecoderConfig config) => config switch
    {
        TransformerConfig transformer => TransformerDecoder.Layout(transformer),
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

    public Tensor Hidden(PackedSequences tokens) => Run(tokens, null);

    public Tensor Hidden(Tensor tokens)
    {
        using var pack = new PackedSequences(tokens);
        return Run(pack, null).view(tokens.shape[0], tokens.shape[1], Config.HiddenSize);
    }

    public Tensor Hidden(Tensor tokens, DecoderState state)
    {
        using var pack = new PackedSequences(tokens);
        return Hidden(pack, state).view(tokens.shape[0], tokens.shape[1], Config.HiddenSize);
    }

    public Tensor Hidden(PackedSequences tokens, DecoderState state)
    {
        using var noGradient = no_grad();
        state.Expect(tokens);
        var hidden = Run(tokens, state);
        for (var row = 0; row < state.Rows; row++) state.Advance(row, tokens.Lengths[row]);
        return hidden;
    }

    public virtual Tensor Decode(Tensor tokens, DecoderState state)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        using var next = new PackedSequences(tokens.unsqueeze(-1));
        var logits = Logits(Hidden(next, state)).MoveToOuterDisposeScope().DetachFromDisposeScope();
        state.Workspace?.Dispose();
        state.Workspace = logits;
        return logits;
    }

    public Tensor Logits(Tensor hidden) => Linear.Apply(hidden, HeadMatrix);

    internal Tensor EmbeddingMatrix => Parameters[Embedding];

    internal Tensor HeadMatrix => Parameters[Config.TieWordEmbeddings ? Embedding : Head];

    public DecoderState NewState(int rows, int capacity) =>
        new(rows, capacity, [.. Enumerable.Range(0, Config.Layers).Select(layer => NewLayerState(layer, rows, capacity))]);

    /// <summary>Null for a layer that looks at nothing but the token.</summary>
    private protected virtual LayerState? NewLayerState(int layer, int rows, int capacity) =>
        new KeyValueState(rows, Config.KeyValueHeads, capacity, Config.HeadDim, DType, Device);

    /// <summary>One layer over packed sequences: [M, hidden] to [M, hidden], the residual included.</summary>
    internal abstract Tensor Block(int layer, Tensor x, ForwardPlan plan, DecoderState? state);

    /// <summary>The norm behind the last layer.</summary>
    private protected abstract Tensor FinalNorm(Tensor x);

    private protected static void AddEmbedding(ArenaLayout layout, DecoderConfig config, string name) =>
        layout.AddMatrix(Embedding, config.HiddenSize, (name, config.VocabularySize));

    private protected static void AddHead(ArenaLayout layout, DecoderConfig config)
    {
        if (!config.TieWordEmbeddings) layout.AddMatrix(Head, config.HiddenSize, ("lm_head.weight", config.VocabularySize));
    }

    private Tensor Run(PackedSequences tokens, DecoderState? state)
    {
        using var scope = NewDisposeScope();
        using var plan = new ForwardPlan(tokens, state);
        var x = EmbeddingMatrix.index_select(0, tokens.Tokens); // [M, H]
        for (var layer = 0; layer < Config.Layers; layer++)
        {
            using var inner = NewDisposeScope(); // without gradient, no layer keeps what the one before it computed
            x = (state is null && RecomputesActivations && is_grad_enabled() ? RecomputedBlock.Apply(this, layer, x, tokens) : Block(layer, x, plan, state))
                .MoveToOuterDisposeScope();
        }
        return FinalNorm(x).MoveToOuterDisposeScope();
    }

    public abstract void Dispose();
}
