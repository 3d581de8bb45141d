using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// The Mamba-2 layer of Nemotron-H (Dao and Gu 2024): project to z | x | B | C | dt, a short causal convolution over x, B and C, the state space
/// recurrence, a norm over each group's channels of y * silu(z), project back.
/// </summary>
/// <param name="module">Hugging Face's name of the layer's mixer.</param>
internal sealed class Mamba2Mixer(NemotronHConfig config, ParameterArena parameters, string module)
{
    public static void AddMatrices(ArenaLayout layout, NemotronHConfig config, string module)
    {
        var rows = config.MambaWidth + config.ConvolutionWidth + config.MambaHeads;
        layout.AddMatrix($"{module}.in_proj.weight", config.HiddenSize, ($"{module}.in_proj.weight", rows));
        layout.AddMatrix($"{module}.out_proj.weight", config.MambaWidth, ($"{module}.out_proj.weight", config.HiddenSize));
    }

    public static void AddVectors(ArenaLayout layout, NemotronHConfig config, string module)
    {
        layout.AddVector($"{module}.A_log", config.MambaHeads);
        layout.AddVector($"{module}.D", config.MambaHeads);
        layout.AddVector($"{module}.dt_bias", config.MambaHeads);
        layout.AddUndecayed($"{module}.conv1d.weight", config.ConvolutionWidth, 1, config.ConvolutionKernel);
        if (config.ConvolutionBias) layout.AddVector($"{module}.conv1d.bias", config.ConvolutionWidth);
        layout.AddVector($"{module}.norm.weight", config.MambaWidth);
        if (!config.MambaBias) return;
        layout.AddVector($"{module}.in_proj.bias", config.MambaWidth + config.ConvolutionWidth + config.MambaHeads);
        layout.AddVector($"{module}.out_proj.bias", config.HiddenSize);
    }

    /// <summary>FLOPs per token of convolution and recurrence: decay, input and read-out of each state entry, and the taps.</summary>
    public static long StateFlops(NemotronHConfig config) =>
        (5L * config.MambaWidth * config.StateSize) + (2L * config.ConvolutionKernel * config.ConvolutionWidth);

    /// <summary>[B, T, hidden] to [B, T, hidden].</summary>
    public Tensor Forward(Tensor x, ForwardPlan plan, MambaState? state)
    {
        int heads = config.MambaHeads, dim = config.MambaHeadDim, groups = config.MambaGroups, size = config.StateSize, width = config.MambaWidth;
        long batch = x.shape[0], length = x.shape[1];
        var projected = nn.functional.linear(x, Parameter("in_proj.weight"), config.MambaBias ? Parameter("in_proj.bias") : null);
        var z = projected.narrow(-1, 0, width);
        var mixed = projected.narrow(-1, width, config.ConvolutionWidth); // x, B, C
        var dt = TimeSteps(projected.narrow(-1, width + config.ConvolutionWidth, heads)); // [B, T, heads]
        if (plan.Real is not null) (mixed, dt) = (mixed * plan.Real, dt * plan.Real); // padding enters neither convolution nor state

        mixed = nn.functional.silu(Convolution(mixed, state)).AtLeastFloat32();
        var inputs = mixed.narrow(-1, 0, width).reshape(batch, length, heads, dim);
        var b = mixed.narrow(-1, width, groups * size).reshape(batch, length, groups, size);
        var c = mixed.narrow(-1, width + (groups * size), groups * size).reshape(batch, length, groups, size);
        var a = -Parameter("A_log").AtLeastFloat32().exp();
        Tensor y;
        if (state is not null && length == 1)
        {
            y = StateSpaceScan.Step(inputs.squeeze(1), dt.squeeze(1), a, b.squeeze(1), c.squeeze(1), state.Recurrent).unsqueeze(1);
        }
        else
        {
            (y, var last) = StateSpaceScan.Chunked(inputs, dt, a, b, c, plan.First > 0 ? state!.Recurrent : null, config.ChunkSize);
            state?.Recurrent.copy_(last);
        }
        y = y + inputs * Parameter("D").AtLeastFloat32().unsqueeze(-1); // [B, T, heads, dim]

        // The gate first, then the norm.
        y = y.reshape(batch, length, groups, width / groups) * nn.functional.silu(z.AtLeastFloat32()).reshape(batch, length, groups, width / groups);
        y = RmsNorm.Apply(y, Parameter("norm.weight").view(groups, width / groups), config.RmsNormEps).reshape(batch, length, width).to(x.dtype);
        return nn.functional.linear(y, Parameter("out_proj.weight"), config.MambaBias ? Parameter("out_proj.bias") : null);
    }

    private Tensor TimeSteps(Tensor raw)
    {
        var dt = nn.functional.softplus(raw.AtLeastFloat32() + Parameter("dt_bias").AtLeastFloat32());
        var (low, high) = config.TimeStepLimit;
        return low > 0 || double.IsFinite(high) ? dt.clamp(low, high) : dt;
    }

    /// <summary>Each channel's last <c>kernel</c> inputs weighted and added up: [B, T, channels] to the same.</summary>
    private Tensor Convolution(Tensor x, MambaState? state)
    {
        int kernel = config.ConvolutionKernel;
        long length = x.shape[1];
        var window = state is null ? nn.functional.pad(x, [0, 0, kernel - 1, 0]) : cat([state.Window, x], 1); // [B, kernel - 1 + T, channels]
        var taps = Parameter("conv1d.weight").view(config.ConvolutionWidth, kernel).t().contiguous(); // [kernel, channels]
        var y = window.narrow(1, 0, length) * taps[0];
        for (var i = 1; i < kernel; i++) y = y.addcmul(window.narrow(1, i, length), taps[i], 1);
        state?.Window.copy_(window.narrow(1, length, kernel - 1));
        return config.ConvolutionBias ? y + Parameter("conv1d.bias") : y;
    }

    private Tensor Parameter(string name) => parameters[$"{module}.{name}"];
}
