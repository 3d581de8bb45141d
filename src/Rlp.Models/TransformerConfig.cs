using System.Text.Json.Nodes;

namespace Rlp.Models;

/// <summary>What Qwen3 and Llama have in common: blocks of rotary grouped-query attention and SwiGLU.</summary>
public abstract record TransformerConfig : DecoderConfig
{
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>Null: none.</summary>
    public RopeScaling? RopeScaling { get; init; }

    public override DecoderConfig Validated(string source)
    {
        base.Validated(source);
        if (HeadDim % 2 != 0) throw new ModelFormatException($"{source}: head_dim {HeadDim} is odd; rotary embedding rotates pairs");
        if (!(RopeTheta is > 0 and < double.PositiveInfinity))
            throw new ModelFormatException($"{source}: rope_theta is {RopeTheta}; expected above 0");
        return this;
    }

    private protected static void RefuseUnsupported(ConfigDocument document)
    {
        document.Only("hidden_act", "\"silu\"");
        document.Only("layer_types", "\"full_attention\"");
    }

    private protected override void Write(JsonObject json)
    {
        json["hidden_act"] = "silu";
        json["rms_norm_eps"] = RmsNormEps;
        json["rope_theta"] = RopeTheta;
        json["rope_scaling"] = RopeScaling?.ToJson();
    }
}
