using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>down(relu(up(x))^2) (So et al. 2021).</summary>
/// <param name="module">Hugging Face's name of the layer's MLP; nothing is fused, so that the arena's leaves have the file's names.</param>
internal sealed class SquaredReluMlp(ParameterArena parameters, string module, bool bias)
{
    public static void AddMatrices(ArenaLayout layout, DecoderConfig config, string module)
    {
        layout.AddMatrix($"{module}.up_proj.weight", config.HiddenSize, ($"{module}.up_proj.weight", config.IntermediateSize));
        layout.AddMatrix($"{module}.down_proj.weight", config.IntermediateSize, ($"{module}.down_proj.weight", config.HiddenSize));
    }

    public static void AddBiases(ArenaLayout layout, DecoderConfig config, string module)
    {
        layout.AddVector($"{module}.up_proj.bias", config.IntermediateSize);
        layout.AddVector($"{module}.down_proj.bias", config.HiddenSize);
    }

    /// <summary>[B, T, hidden] to [B, T, hidden].</summary>
    public Tensor Forward(Tensor x)
    {
        var up = Linear.Apply(x, parameters[$"{module}.up_proj.weight"], bias ? parameters[$"{module}.up_proj.bias"] : null);
        var active = nn.functional.relu(up).Squared();
        return Linear.Apply(active, parameters[$"{module}.down_proj.weight"], bias ? parameters[$"{module}.down_proj.bias"] : null);
    }
}
