using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// Nemotron-H: every layer is a pre-norm residual block of one mixer, Mamba-2, attention without positions, or a squared-ReLU MLP, in the order
/// of the config's pattern.
/// </summary>
public sealed class NemotronHDecoder : Decoder
{
    private readonly NemotronHConfig config;
    private readonly Mixer[] mixers;

    /// <summary>What a layer adds to its residual.</summary>
    private delegate Tensor Mixer(Tensor x, ForwardPlan plan, DecoderState? state, Tensor residual);

    public NemotronHDecoder(NemotronHConfig config, ParameterArena parameters) : base(config, parameters)
    {
        this.config = config;
        mixers = [.. Enumerable.Range(0, config.Layers).Select(NewMixer)];
    }

    /// <summary>The arena's layout under Hugging Face's names.</summary>
    public static ArenaLayout Layout(NemotronHConfig config)
    {
        var layout = new ArenaLayout();
        AddEmbedding(layout, config, "backbone.embeddings.weight");
        for (var i = 0; i < config.Layers; i++)
        {
            if (config.Pattern[i] == NemotronHConfig.Mamba) Mamba2Mixer.AddMatrices(layout, config, Module(i));
            else if (config.Pattern[i] == NemotronHConfig.Attention) GroupedQueryAttention.AddMatrices(layout, config, $"{i}", Module(i));
            else SquaredReluMlp.AddMatrices(layout, config, Module(i));
        }
        AddHead(layout, config);
        for (var i = 0; i < config.Layers; i++)
        {
            layout.AddVector($"backbone.layers.{i}.norm.weight", config.HiddenSize);
            if (config.Pattern[i] == NemotronHConfig.Mamba) Mamba2Mixer.AddVectors(layout, config, Module(i));
            else if (config.Pattern[i] == NemotronHConfig.Attention && config.AttentionBias) GroupedQueryAttention.AddBiases(layout, config, $"{i}", Module(i));
            else if (config.Pattern[i] == NemotronHConfig.Mlp && config.MlpBias) SquaredReluMlp.AddBiases(layout, config, Module(i));
        }
        layout.AddVector("backbone.norm_f.weight", config.HiddenSize);
        return layout;
    }

    internal override Tensor Block(int layer, Tensor x, ForwardPlan plan, DecoderState? state)
    {
        var weight = Parameters[$"backbone.layers.{layer}.norm.weight"];
        return mixers[layer](RmsNorm.Apply(x.to(weight.dtype), weight, config.RmsNormEps), plan, state, config.ResidualInFloat32 ? x.AtLeastFloat32() : x);
    }

    private protected override Tensor FinalNorm(Tensor x)
    {
        var weight = Parameters["backbone.norm_f.weight"];
        return RmsNorm.Apply(x.to(weight.dtype), weight, config.RmsNormEps);
    }

    private protected override LayerState? NewLayerState(int layer, int rows, int capacity) => config.Pattern[layer] switch
    {
        NemotronHConfig.Mamba => new MambaState(rows, config, DType, Device),
        NemotronHConfig.Attention => base.NewLayerState(layer, rows, capacity),
        _ => null,
    };

    private Mixer NewMixer(int layer)
    {
        switch (config.Pattern[layer])
        {
            case NemotronHConfig.Mamba:
                var mamba = new Mamba2Mixer(config, Parameters, Module(layer));
                return (x, plan, state, residual) => residual.Plus(mamba.Forward(x, plan, state?.Layer<MambaState>(layer)));
            case NemotronHConfig.Attention:
                var attention = new GroupedQueryAttention(
                    config, Parameters, $"{layer}", Module(layer), rotary: null, normalised: false, config.AttentionBias);
                return (x, plan, state, residual) => attention.Forward(x, plan, state, state?.Layer<KeyValueState>(layer), residual);
            default:
                var mlp = new SquaredReluMlp(Parameters, Module(layer), config.MlpBias);
                return (x, _, _, residual) => residual.Plus(mlp.Forward(x));
        }
    }

    private static string Module(int layer) => $"backbone.layers.{layer}.mixer";

    public override void Dispose()
    {
    }
}
