using System.Runtime.InteropServices;

namespace Rlp.Training;

/// <summary>The memory of the first CUDA device that this process sees, as the driver tells it: libtorch's C# side has no such call.</summary>
public static partial class CudaMemory
{
    private const int Success = 0;

    /// <returns>Bytes.</returns>
    /// <exception cref="InvalidOperationException">The driver refuses; the message holds its code.</exception>
    /// <exception cref="DllNotFoundException">There is no driver.</exception>
    public static long Total()
    {
        Check(Initialize(0), "cuInit");
        Check(GetDevice(out var device, 0), "cuDeviceGet");
        Check(TotalMemory(out var bytes, device), "cuDeviceTotalMem");
        return checked((long)bytes);
    }

    private static void Check(int code, string call)
    {
        if (code != Success) throw new InvalidOperationException($"the CUDA driver's {call} returned {code}");
    }

    [LibraryImport("libcuda.so.1", EntryPoint = "cuInit")]
    private static partial int Initialize(uint flags);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuDeviceGet")]
    private static partial int GetDevice(out int device, int ordinal);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuDeviceTotalMem_v2")]
    private static partial int TotalMemory(out nuint bytes, int device);
}
