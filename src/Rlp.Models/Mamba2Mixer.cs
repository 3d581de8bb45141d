using Rlp.Objective;
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

    /// <summary>[M, hidden] to [M, hidden] over packed sequences.</summary>
    public Tensor Forward(Tensor x, ForwardPlan plan, MambaState? kept)
    {
        var projected = Linear.Apply(x, Parameter("in_proj.weight"), config.MambaBias ? Parameter("in_proj.bias") : null);
        var outputs = new List<Tensor>();
        (Tensor Window, Tensor Recurrent) ends = (null!, null!);
        foreach (var part in plan.Parts)
        {
            var begin = part.ContinuedRows is { } rows ? (ends.Window.index_select(0, rows), ends.Recurrent.index_select(0, rows))
                : kept is not null ? (kept.Window, kept.Recurrent)
                : default((Tensor Window, Tensor Recurrent)?);
            (var y, ends) = Part(part.Of(projected), part, begin);
            outputs.Add(y.flatten(0, 1));
        }
        kept?.Window.copy_(ends.Window);
        kept?.Recurrent.copy_(ends.Recurrent);
        return Linear.Apply(plan.Packed(outputs), Parameter("out_proj.weight"), config.MambaBias ? Parameter("out_proj.bias") : null);
    }

    /// <param name="projected">[B, T, ...], padded at the right.</param>
    /// <param name="begin">What the rows begin with; null: nothing.</param>
    /// <returns>[B, T, width], and what follows the rows' last tokens.</returns>
    private (Tensor Y, (Tensor Window, Tensor Recurrent) Ends) Part(Tensor projected, SequenceRectangle part, (Tensor Window, Tensor Recurrent)? begin)
    {
        int heads = config.MambaHeads, dim = config.MambaHeadDim, groups = config.MambaGroups, size = config.StateSize, width = config.MambaWidth;
        long batch = projected.shape[0], length = projected.shape[1];
        var z = projected.narrow(-1, 0, width);
        var mixed = projected.narrow(-1, width, config.ConvolutionWidth); // x, B, C
        var dt = TimeSteps(projected.narrow(-1, width + config.ConvolutionWidth, heads)); // [B, T, heads]
        if (part.Real is not null) dt = dt * part.Real; // padding does not enter the state

        var window = begin is { } b0 ? cat([b0.Window, mixed], 1) : nn.functional.pad(mixed, [0, 0, config.ConvolutionKernel - 1, 0]); // [B, kernel - 1 + T, channels]
        mixed = nn.functional.silu(Convolution(window, length)).AtLeastFloat32();
        var inputs = mixed.narrow(-1, 0, width).reshape(batch, length, heads, dim);
        var b = mixed.narrow(-1, width, groups * size).reshape(batch, length, groups, size);
        var c = mixed.narrow(-1, width + (groups * size), groups * size).reshape(batch, length, groups, size);
        var a = -Parameter("A_log").AtLeastFloat32().exp();
        Tensor y, recurrent;
        if (length == 1 && begin is { } one && !is_grad_enabled())
        {
            recurrent = one.Recurrent;
            y = StateSpaceScan.Step(inputs.squeeze(1), dt.squeeze(1), a, b.squeeze(1), c.squeeze(1), recurrent).unsqueeze(1);
        }
        else
        {
            (y, recurrent) = StateSpaceScan.Chunked(inputs, dt, a, b, c, begin?.Recurrent, config.ChunkSize);
        }
        y = y.Plus(inputs * Parameter("D").AtLeastFloat32().unsqueeze(-1)); // [B, T, heads, dim]

        // The gate first, then the norm.
        y = y.reshape(batch, length, groups, width / groups) * nn.functional.silu(z.AtLeastFloat32()).reshape(batch, length, groups, width / groups);
        y = RmsNorm.Compose(y, Parameter("norm.weight").view(groups, width / groups), config.RmsNormEps).reshape(batch, length, width).to(projected.dtype);
        return (y, (Last(window, part), recurrent));
    }

    /// <summary>The last inputs of each row's convolution: [B, kernel - 1, channels].</summary>
    private Tensor Last(Tensor window, SequenceRectangle part)
    {
        var kept = config.ConvolutionKernel - 1;
        if (part.Real is null) return window.narrow(1, part.Length, kept);
        var places = Enumerable.Range(0, part.Sequences.Length)
            .SelectMany(row => Enumerable.Range(0, kept).Select(i => (row * window.shape[1]) + part.Tokens(row) + i));
        return window.flatten(0, 1).index_select(0, tensor(places.ToArray(), device: window.device)).view(part.Sequences.Length, kept, window.shape[2]);
    }

    private Tensor TimeSteps(Tensor raw)
    {
        var dt = raw.AtLeastFloat32().Plus(Parameter("dt_bias").AtLeastFloat32()).Softplus();
        var (low, high) = config.TimeStepLimit;
        return low > 0 || double.IsFinite(high) ? dt.Clamped(low, high) : dt;
    }

    /// <summary>Each channel's last <c>kernel</c> inputs weighted and added up: [B, kernel - 1 + T, channels] to [B, T, channels].</summary>
    private Tensor Convolution(Tensor window, long length)
    {
        int kernel = config.ConvolutionKernel;
        var taps = Parameter("conv1d.weight").view(config.ConvolutionWidth, kernel).t().contiguous(); // [kernel, channels]
        var y = window.narrow(1, 0, length) * taps[0];
        for (var i = 1; i < kernel; i++) y = y.PlusProduct(window.narrow(1, i, length), taps[i]);
        return config.ConvolutionBias ? y.Plus(Parameter("conv1d.bias")) : y;
    }

    private Tensor Parameter(string name) => parameters[$"{module}.{name}"];
}
