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
            var first = (e.GetBaseException().Message.Split('\n')[0]).Trim();
            throw new NativeLibraryException(
                $"libtorch does not load: {first}\nBuild again ('dotnet build' prepares the library, see .build/Torch.targets); 'rlp doctor' checks the rest.", e);
        }
    }
}
