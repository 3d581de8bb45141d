using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Rlp.Models.Kernels;

/// <summary>
/// Where the kernels of this folder take the place of compositions of torch operations: float32 on the CPU, where libtorch's own matrix product
/// can be called. Elsewhere (CUDA, bfloat16, float64, other systems) the compositions do the same.
/// </summary>
internal static unsafe partial class CpuKernels
{
    [ThreadStatic] private static bool refused;

    /// <summary>Whether the kernels compute with this tensor.</summary>
    public static bool Serve(Tensor tensor) => !refused && Blas.Available && tensor.dtype == ScalarType.Float32 && tensor.device_type == TorchSharp.DeviceType.CPU;

    /// <summary>Until disposed, this thread computes with torch operations: what the kernels are tested and measured against.</summary>
    public static IDisposable Refuse() => new Refusal();

    /// <summary>The tensor's first element. Valid while the tensor lives.</summary>
    public static float* Pointer(Tensor tensor)
    {
        if (tensor.dtype != ScalarType.Float32 || !tensor.is_contiguous()) throw new ArgumentException("a kernel reads contiguous float32 tensors", nameof(tensor));
        return (float*)Data(tensor.Handle);
    }

    public static long* Integers(Tensor tensor)
    {
        if (tensor.dtype != ScalarType.Int64 || !tensor.is_contiguous()) throw new ArgumentException("expected a contiguous int64 tensor", nameof(tensor));
        return (long*)Data(tensor.Handle);
    }

    [LibraryImport("LibTorchSharp", EntryPoint = "THSTensor_data")]
    private static partial nint Data(nint tensor);

    private sealed class Refusal : IDisposable
    {
        private readonly bool before = refused;

        public Refusal() => refused = true;

        public void Dispose() => refused = before;
    }
}

/// <summary>Two places in float32 memory; null where there are none.</summary>
internal readonly unsafe struct FloatPointers(float* first, float* second)
{
    private readonly float* first = first, second = second;

    public void Deconstruct(out float* one, out float* other)
    {
        one = first;
        other = second;
    }
}
