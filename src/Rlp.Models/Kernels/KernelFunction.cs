using static TorchSharp.torch;

namespace Rlp.Models.Kernels;

/// <summary>
/// A differentiable kernel. Autograd copies what a backward call returns only after the call, so each thread's last gradients are disposed at its
/// next backward call: none outlives its use until the end of a pass.
/// </summary>
internal abstract class KernelFunction<T> : autograd.SingleTensorFunction<T> where T : KernelFunction<T>, new()
{
    public override string Name => typeof(T).Name;

    /// <summary>One gradient for each argument of forward, null where there is none.</summary>
    protected abstract List<Tensor?> Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient);

    public sealed override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
    {
        Returned.Dispose();
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var gradients = Backward(context, context.get_saved_variables(), gradient.contiguous());
        foreach (var tensor in gradients) tensor?.DetachFromDisposeScope();
        gradient.Dispose();
        Returned.Dispose(); // of passes inside this one
        Returned.Tensors = gradients;
        return gradients!;
    }
}

/// <summary>What the thread's last backward call gave to autograd.</summary>
internal static class Returned
{
    [ThreadStatic] private static List<Tensor?>? tensors;

    public static List<Tensor?> Tensors { set => tensors = value; }

    public static void Dispose()
    {
        if (tensors is null) return;
        foreach (var tensor in tensors) tensor?.Dispose();
        tensors = null;
    }
}
