using Rlp.Models.Kernels;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>x W^T, plus a bias, plus a residual: one pass where the kernels serve, libtorch's product elsewhere.</summary>
internal static unsafe class Linear
{
    /// <summary>With fewer rows, laying out the weights takes longer than it saves.</summary>
    private const int FewestRows = 128;

    private const int RowsAtOnce = 128; // stay in the second cache beside a panel

    /// <param name="x">[M, in].</param>
    /// <param name="weight">[out, in], a leaf of the arena.</param>
    /// <param name="bias">[out]; null: none.</param>
    /// <param name="residual">[M, out]; null: none.</param>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias = null, Tensor? residual = null)
    {
        var served = CpuKernels.Serve(x) && x.dim() == 2 && x.shape[0] >= FewestRows && x.is_contiguous() && (residual is null || residual.dtype == x.dtype);
        if (!served) return Compose(x, weight, bias, residual);
        var product = is_grad_enabled() && (x.requires_grad || weight.requires_grad || residual?.requires_grad == true)
            ? LinearFunction.apply(x, weight, residual!)
            : Forward(x, weight, residual);
        return bias is null ? product : product.Plus(bias);
    }

    private static Tensor Compose(Tensor x, Tensor weight, Tensor? bias, Tensor? residual)
    {
        if (residual is null) return nn.functional.linear(x, weight, bias);
        if (residual.dtype != x.dtype) return residual.Plus(nn.functional.linear(x, weight, bias));
        var sum = addmm(residual, x, weight.t(), 1, 1);
        return bias is null ? sum : sum.Plus(bias);
    }

    private static Tensor Forward(Tensor x, Tensor weight, Tensor? residual)
    {
        var result = residual?.clone() ?? empty(x.shape[0], weight.shape[0]);
        using var packed = new PackedMatrix((int)weight.shape[0], (int)weight.shape[1]);
        packed.Load(CpuKernels.Pointer(weight));
        Multiply(packed, x, result, add: residual is not null);
        return result;
    }

    private static void Multiply(PackedMatrix packed, Tensor x, Tensor y, bool add)
    {
        float* from = CpuKernels.Pointer(x), to = CpuKernels.Pointer(y);
        var rows = (int)x.shape[0];
        NativeThreads.Each((rows + RowsAtOnce - 1) / RowsAtOnce, block =>
        {
            long first = (long)block * RowsAtOnce;
            packed.Multiply(from + (first * packed.Inputs), to + (first * packed.Outputs), (int)Math.Min(RowsAtOnce, rows - first), add, 0, packed.Panels);
        });
    }

    private sealed class LinearFunction : KernelFunction<LinearFunction>
    {
        public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
        {
            var (x, weight, residual) = ((Tensor)arguments[0], (Tensor)arguments[1], (Tensor?)arguments[2]);
            context.save_for_backward([x, weight]);
            context.save_data(nameof(residual), residual is not null);
            return Forward(x, weight, residual);
        }

        protected override List<Tensor?> Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (x, weight) = (saved[0], saved[1]);
            int outputs = (int)weight.shape[0], inputs = (int)weight.shape[1], rows = (int)x.shape[0];
            var back = empty(rows, inputs);
            using (var packed = new PackedMatrix(inputs, outputs))
            {
                packed.LoadTransposed(CpuKernels.Pointer(weight));
                Multiply(packed, gradient, back, add: false);
            }
            // Straight into the arena's gradient where there is one: no second matrix, no second pass to add it.
            var kept = weight.grad; // the saved leaf is the arena's own
            var target = kept ?? zeros_like(weight);
            OuterProducts.Add(CpuKernels.Pointer(gradient), CpuKernels.Pointer(x), CpuKernels.Pointer(target), rows, outputs, inputs);
            return [back, kept is null ? target : null, (bool)context.get_data("residual") ? gradient.alias() : null];
        }
    }
}
