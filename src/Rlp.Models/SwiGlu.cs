using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>down(silu(gate(x)) * up(x)) (Shazeer 2020).</summary>
/// <param name="leaf">Under which the layer's fused projections lie in the arena.</param>
internal sealed class SwiGlu(DecoderConfig config, ParameterArena parameters, string leaf, bool bias)
{
    public static void AddMatrices(ArenaLayout layout, DecoderConfig config, string leaf, string module)
    {
        long hidden = config.HiddenSize, inner = config.IntermediateSize;
        layout.AddMatrix($"{leaf}.gate_up", hidden, ($"{module}.gate_proj.weight", inner), ($"{module}.up_proj.weight", inner));
        layout.AddMatrix($"{leaf}.down", inner, ($"{module}.down_proj.weight", hidden));
    }

    public static void AddBiases(ArenaLayout layout, DecoderConfig config, string leaf, string module)
    {
        layout.AddBias($"{leaf}.gate_up_bias", ($"{module}.gate_proj.bias", config.IntermediateSize), ($"{module}.up_proj.bias", config.IntermediateSize));
        layout.AddBias($"{leaf}.down_bias", ($"{module}.down_proj.bias", config.HiddenSize));
    }

    /// <summary>[B, T, hidden] to [B, T, hidden].</summary>
    public Tensor Forward(Tensor x)
    {
        var gateUp = nn.functional.linear(x, parameters[$"{leaf}.gate_up"], bias ? parameters[$"{leaf}.gate_up_bias"] : null);
        var gate = gateUp.narrow(-1, 0, config.IntermediateSize);
        var up = gateUp.narrow(-1, config.IntermediateSize, config.IntermediateSize);
        return nn.functional.linear(nn.functional.silu(gate) * up, parameters[$"{leaf}.down"], bias ? parameters[$"{leaf}.down_bias"] : null);
    }
}
