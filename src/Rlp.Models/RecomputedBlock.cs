using Rlp.Models.Kernels;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// A layer that keeps nothing but its input: its backward pass computes it again (activation checkpointing, Chen et al. 2016). The gradients are the
/// same to the bit.
/// </summary>
internal sealed class RecomputedBlock : KernelFunction<RecomputedBlock>
{
    private const string Call = "call";

    /// <summary>One layer over packed sequences: [M, hidden] to [M, hidden].</summary>
    public static Tensor Apply(Decoder decoder, int layer, Tensor x, PackedSequences tokens) => apply(x, decoder, layer, tokens);

    public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
    {
        var (x, decoder, layer, tokens) = ((Tensor)arguments[0], (Decoder)arguments[1], (int)arguments[2], (PackedSequences)arguments[3]);
        context.save_for_backward([x]);
        context.save_data(Call, (decoder, layer, tokens));
        return Run(decoder, layer, x, tokens);
    }

    protected override List<Tensor?> Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
    {
        var (decoder, layer, tokens) = ((Decoder, int, PackedSequences))context.get_data(Call);
        using var withGradient = enable_grad();
        var x = saved[0].detach().requires_grad_();
        using var output = Run(decoder, layer, x, tokens);
        output.backward([gradient]); // the parameters' gradients add up in the arena
        return [x.grad, null, null, null];
    }

    private static Tensor Run(Decoder decoder, int layer, Tensor x, PackedSequences tokens)
    {
        using var scope = NewDisposeScope();
        using var plan = new ForwardPlan(tokens, null);
        return decoder.Block(layer, x, plan, null).MoveToOuterDisposeScope();
    }
}
