using static TorchSharp.torch;

namespace Rlp.Benchmarks.Measuring;

internal static class TorchThreads
{
    /// <summary>libtorch keeps the number of intra-op threads per calling thread; asking first makes it initialise this thread's.</summary>
    public static void Use(int threads)
    {
        _ = get_num_threads();
        set_num_threads(threads);
    }
}
