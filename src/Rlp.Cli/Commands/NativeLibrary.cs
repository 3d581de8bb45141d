using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>libtorch, seen from outside: loaded once at the start, so that a broken machine is told before any run begins.</summary>
internal static class NativeLibrary
{
    /// <summary>Loads libtorch and multiplies two small matrices with it.</summary>
    /// <exception cref="NativeLibraryException">It does not load, or computes wrongly.</exception>
    public static string Load()
    {
        try
        {
            using var a = torch.tensor((float[])[0, 1, 2, 3, 4, 5], [2, 3]);
            using var product = a.matmul(a.T);
            var sum = product.sum().item<float>();
            if (sum != 83f) throw new NativeLibraryException($"libtorch multiplies wrongly: got {sum}, expected 83", new InvalidOperationException());
            return torch.__version__;
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or NotSupportedException)
        {
            throw DoesNotLoad(e);
        }
    }

    /// <summary>Loads libtorch with its CUDA half.</summary>
    /// <exception cref="NativeLibraryException">It does not load, or finds no device.</exception>
    public static void LoadCuda()
    {
        try
        {
            if (!torch.cuda.is_available())
                throw new NativeLibraryException(
                    "node.device is cuda, but libtorch finds no CUDA device: expected a GPU with its driver and a build with -p:Accelerator=cuda. "
                    + "Set node.device = cpu, or see 'rlp doctor'.", new InvalidOperationException());
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or NotSupportedException)
        {
            throw DoesNotLoad(e);
        }
    }

    private static NativeLibraryException DoesNotLoad(Exception e)
    {
        var first = (e.GetBaseException().Message.Split('\n')[0]).Trim();
        return new NativeLibraryException(
            $"libtorch does not load: {first}\nBuild again ('dotnet build' prepares the library, see .build/Torch.targets); 'rlp doctor' checks the rest.", e);
    }
}
