using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>How many threads one operation of libtorch is divided among.</summary>
public static class IntraOpThreads
{
    /// <summary>
    /// For the operations of the calling thread: libtorch keeps the number per thread, and asking first makes it initialise this thread's.
    /// </summary>
    public static void Use(int threads)
    {
        _ = get_num_threads();
        set_num_threads(threads);
    }
}
