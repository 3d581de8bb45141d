using System.Reflection;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Rlp.Models.Kernels;

/// <summary>Functions of the native libraries that libtorch is made of: the matrix products and threads that it uses itself.</summary>
internal static class NativeSymbols
{
    private static readonly nint Library = Load();
    private static readonly nint Cuda = LoadCuda();

    /// <summary>The address of an exported function of libtorch or of a library it depends on; zero where there is none.</summary>
    public static nint Find(string name) => Library != 0 && NativeLibrary.TryGetExport(Library, name, out var address) ? address : 0;

    /// <summary>The same of libtorch's CUDA half; zero where it is not there or finds no device.</summary>
    public static nint FindCuda(string name) => Cuda != 0 && NativeLibrary.TryGetExport(Cuda, name, out var address) ? address : 0;

    private static nint LoadCuda() =>
        OperatingSystem.IsLinux() && torch.cuda.is_available() // loads it
        && NativeLibrary.TryLoad("libtorch_cuda.so", Assembly.GetExecutingAssembly(), null, out var library) ? library : 0;

    private static nint Load()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        torch.InitializeDeviceType(DeviceType.CPU); // loads libtorch; the next line then finds the same library by its name
        return NativeLibrary.TryLoad("libtorch_cpu.so", Assembly.GetExecutingAssembly(), null, out var library) ? library : 0;
    }
}
