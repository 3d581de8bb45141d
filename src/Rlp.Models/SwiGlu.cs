using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>down(silu(gate(x)) * up(x)) (Shazeer 2020).</summary>
/// <param name="leaf">Under which the layer's fused projections lie in the arena.</param>
internal sealed unsafe class SwiGlu(ParameterArena parameters, string leaf, bool bias)
{
    private const int RowGrain = 16;

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

    public Tensor GateUp => parameters[$"{leaf}.gate_up"];

    public Tensor? GateUpBias => bias ? parameters[$"{leaf}.gate_up_bias"] : null;

    public Tensor Down => parameters[$"{leaf}.down"];

    public Tensor? DownBias => bias ? parameters[$"{leaf}.down_bias"] : null;

    /// <summary>Added to the residual: [M, hidden] to [M, hidden].</summary>
    public Tensor Forward(Tensor x, Tensor residual) =>
        Linear.Apply(Gated(Linear.Apply(x, GateUp, GateUpBias)), Down, DownBias, residual);

    /// <summary>silu(gate) * up: [M, 2 inner] to [M, inner].</summary>
    private static Tensor Gated(Tensor gateUp)
    {
        if (CpuKernels.Serve(gateUp)) return is_grad_enabled() && gateUp.requires_grad ? GatedFunction.apply(gateUp) : Kernel(gateUp);
        var inner = gateUp.shape[^1] / 2;
        return nn.functional.silu(gateUp.narrow(-1, 0, inner)) * gateUp.narrow(-1, inner, inner);
    }

    private static Tensor Kernel(Tensor gateUp)
    {
        var inner = (int)gateUp.shape[1] / 2;
        var result = empty(gateUp.shape[0], inner);
        float* source = CpuKernels.Pointer(gateUp), target = CpuKernels.Pointer(result);
        NativeThreads.For(gateUp.shape[0], RowGrain, (begin, end) =>
        {
            for (var row = begin; row < end; row++)
                SwiGluKernel.Forward(source + (row * 2 * inner), source + (row * 2 * inner) + inner, target + (row * inner), inner);
        });
        return result;
    }

    private sealed class GatedFunction : KernelFunction<GatedFunction>
    {
        public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
        {
            context.save_for_backward([(Tensor)arguments[0]]);
            return Kernel((Tensor)arguments[0]);
        }

        protected override List<Tensor?> Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var inner = (int)gradient.shape[1];
            var result = empty_like(saved[0]);
            float* source = CpuKernels.Pointer(saved[0]), given = CpuKernels.Pointer(gradient), target = CpuKernels.Pointer(result);
            NativeThreads.For(gradient.shape[0], RowGrain, (begin, end) =>
            {
                for (var row = begin; row < end; row++)
                {
                    var (gate, slope) = (row * 2 * inner, row * inner);
                    SwiGluKernel.Backward(source + gate, source + gate + inner, given + slope, target + gate, target + gate + inner, inner);
                }
            });
            return [result];
        }
    }
}
