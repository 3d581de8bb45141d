using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Models.Kernels;

/// <summary>
/// libtorch's own RMS norm, one kernel where its composition takes eight. TorchSharp does not bind it; libtorch exports it with a C interface, that
/// of ahead-of-time compiled models (torch/csrc/inductor/aoti_torch/generated/c_shim_cuda.h), without gradient.
/// </summary>
internal static unsafe class FusedRmsNorm
{
    // input, normalized_shape, its length, optional weight, optional eps, output, reciprocal roots; an error where not zero
    private static readonly delegate* unmanaged<nint, long*, long, nint*, double*, nint*, nint*, int> Norm =
        (delegate* unmanaged<nint, long*, long, nint*, double*, nint*, nint*, int>)NativeSymbols.FindCuda("aoti_torch_cuda__fused_rms_norm");

    private static readonly delegate* unmanaged<nint, int> Delete =
        (delegate* unmanaged<nint, int>)NativeSymbols.Find("aoti_torch_delete_tensor_object");

    /// <summary>
    /// Whether <see cref="Apply"/> can take this tensor: on CUDA in inference mode. A pass without gradient that one with gradient repeats must compute
    /// the same.
    /// </summary>
    public static bool Serves(Tensor x) => x.device_type == DeviceType.CUDA && is_inference_mode_enabled() && Norm is not null && Delete is not null;

    /// <param name="x">[..., n].</param>
    /// <param name="weight">[n], of the type of <paramref name="x"/>; null: ones.</param>
    /// <returns>As <paramref name="x"/>.</returns>
    /// <exception cref="InvalidOperationException">libtorch refuses.</exception>
    public static Tensor Apply(Tensor x, Tensor? weight, double eps)
    {
        var length = x.shape[^1];
        nint scale = weight is null ? 0 : weight.Handle, output, roots;
        if (Norm(x.Handle, &length, 1, weight is null ? null : &scale, &eps, &output, &roots) != 0)
            throw new InvalidOperationException($"libtorch's RMS norm refuses {x.dtype} [{string.Join(", ", x.shape)}]; the reason is on the error stream");
        _ = Delete(roots);
        return Tensor.UnsafeCreateTensor(output);
    }
}
