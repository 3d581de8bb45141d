using System.Runtime.ExceptionServices;
using Rlp.Training;

namespace Rlp.Benchmarks.Measuring;

/// <summary>
/// A thread that computes and ends. libtorch's workers belong to the thread that calls it and end with it; workers that a measurement leaves
/// behind make OpenMP wait less eagerly in the next one, because there are then more of them than cores.
/// </summary>
internal static class OwnThread
{
    public static T Run<T>(int intraOpThreads, Func<T> work)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                IntraOpThreads.Use(intraOpThreads);
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        NativeHeap.Trim(); // what one measurement leaves must not be missing in the next
        failure?.Throw();
        return result!;
    }
}
