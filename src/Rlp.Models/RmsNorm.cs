using Rlp.Models.Kernels;
using Rlp.Objective;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>x / sqrt(mean x^2 + eps) * weight over the last dimension (Zhang and Sennrich 2019); the mean at least in float32.</summary>
internal static unsafe class RmsNorm
{
    private const int RowGrain = 64;

    /// <param name="weight">As long as the last dimension of <paramref name="x"/>.</param>
    public static Tensor Apply(Tensor x, Tensor weight, double eps)
    {
        if (!CpuKernels.Serve(x) || weight.dim() != 1 || !x.is_contiguous()) return Compose(x, weight, eps);
        return is_grad_enabled() && (x.requires_grad || weight.requires_grad) ? RmsNormFunction.apply(x, weight, eps) : Forward(x, weight, eps);
    }

    /// <summary>The same by torch operations; weights of any shape that broadcasts to <paramref name="x"/>.</summary>
    public static Tensor Compose(Tensor x, Tensor weight, double eps)
    {
        if (FusedRmsNorm.Serves(x)) return weight.dim() == 1 ? FusedRmsNorm.Apply(x, weight, eps) : FusedRmsNorm.Apply(x, null, eps) * weight;
        var full = x.AtLeastFloat32();
        return (full * full.Squared().mean([-1], keepdim: true).Plus(eps).rsqrt()).to(x.dtype) * weight;
    }

    private static Tensor Forward(Tensor x, Tensor weight, double eps)
    {
        var result = empty_like(x);
        var n = (int)x.shape[^1];
        float* source = CpuKernels.Pointer(x), scale = CpuKernels.Pointer(weight), target = CpuKernels.Pointer(result);
        NativeThreads.For(x.numel() / n, RowGrain, (begin, end) =>
        {
            for (var row = begin; row < end; row++) NormKernel.Forward(source + (row * n), scale, target + (row * n), n, (float)eps);
        });
        return result;
    }

    private sealed class RmsNormFunction : KernelFunction<RmsNormFunction>
    {
        public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
        {
            var (x, weight, eps) = ((Tensor)arguments[0], (Tensor)arguments[1], (double)arguments[2]);
            context.save_for_backward([x, weight]);
            context.save_data(nameof(eps), eps);
            return Forward(x, weight, eps);
        }

        protected override List<Tensor?> Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (x, weight, eps) = (saved[0], saved[1], (float)(double)context.get_data("eps"));
            int n = (int)x.shape[^1], threads = get_num_threads();
            var rows = x.numel() / n;
            var result = empty_like(x);
            using var weightGradients = zeros(threads, n); // of each thread
            float* source = CpuKernels.Pointer(x), scale = CpuKernels.Pointer(weight), given = CpuKernels.Pointer(gradient);
            float* target = CpuKernels.Pointer(result), sums = CpuKernels.Pointer(weightGradients);
            NativeThreads.Run((int)Math.Min(threads, (rows + RowGrain - 1) / RowGrain), (thread, count) =>
            {
                for (var row = rows * thread / count; row < rows * (thread + 1) / count; row++)
                    NormKernel.Backward(source + (row * n), scale, given + (row * n), target + (row * n), sums + ((long)thread * n), n, eps);
            });
            return [result, weightGradients.sum(dim: 0), null];
        }
    }
}
