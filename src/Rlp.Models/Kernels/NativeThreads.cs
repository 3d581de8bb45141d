using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Rlp.Models.Kernels;

/// <summary>
/// Loops on libtorch's own intra-op threads: the OpenMP team that also runs its matrix products. A second pool would compete with that team, whose
/// threads spin between two products. Where libtorch brings no GNU OpenMP, loops run on the calling thread.
/// </summary>
internal static unsafe class NativeThreads
{
    private static readonly delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void> Parallel =
        (delegate* unmanaged<delegate* unmanaged<void*, void>, void*, uint, uint, void>)NativeSymbols.Find("GOMP_parallel");

    private static readonly delegate* unmanaged<int> ThreadNumber = (delegate* unmanaged<int>)NativeSymbols.Find("omp_get_thread_num");
    private static readonly delegate* unmanaged<int> TeamSize = (delegate* unmanaged<int>)NativeSymbols.Find("omp_get_num_threads");

    [ThreadStatic] private static Region? region;
    [ThreadStatic] private static bool inside;

    /// <summary>Runs <paramref name="body"/>(thread, threads) once on each of libtorch's intra-op threads, and waits for all of them.</summary>
    /// <param name="threads">At most this many; the calling thread is number 0.</param>
    public static void Run(int threads, Action<int, int> body)
    {
        // A loop inside a loop stays on its thread.
        threads = inside || Parallel is null || ThreadNumber is null || TeamSize is null ? 1 : Math.Min(threads, get_num_threads());
        if (threads <= 1) body(0, 1);
        else (region ??= new Region()).Run(threads, body);
    }

    /// <summary>Divides [0, count) into one consecutive range for each thread, so that which thread computes what does not depend on timing.</summary>
    /// <param name="grain">Fewest items that are worth a thread.</param>
    /// <param name="body">Gets the begin and the end of a range.</param>
    public static void For(long count, long grain, Action<long, long> body)
    {
        if (count <= 0) return;
        var useful = (int)Math.Min(int.MaxValue, (count + grain - 1) / grain);
        if (useful == 1) body(0, count);
        else Run(useful, (thread, threads) => body(count * thread / threads, count * (thread + 1) / threads));
    }

    /// <summary>Tasks of unequal cost: each thread takes the next one. What a task computes must depend on its number alone.</summary>
    public static void Each(int count, Action<int> body) => Each<IDisposable?>(count, () => null, (task, _) => body(task));

    /// <summary>The same with something that each thread makes once and uses for all of its tasks.</summary>
    public static void Each<T>(int count, Func<T> make, Action<int, T> body) where T : IDisposable?
    {
        if (count <= 0) return;
        var next = -1;
        Run(count, (_, _) =>
        {
            using var own = make();
            for (int task; (task = Interlocked.Increment(ref next)) < count;) body(task, own);
        });
    }

    /// <summary>One calling thread's region, kept so that a loop allocates nothing of its own.</summary>
    private sealed class Region
    {
        private readonly GCHandle self;
        private Action<int, int>? body;
        private ExceptionDispatchInfo? failure;

        public Region() => self = GCHandle.Alloc(this, GCHandleType.Weak); // the calling thread holds it

        ~Region() => self.Free();

        public void Run(int threads, Action<int, int> action)
        {
            (body, failure) = (action, null);
            try
            {
                Parallel(&Enter, (void*)GCHandle.ToIntPtr(self), (uint)threads, 0);
            }
            finally
            {
                body = null;
            }
            failure?.Throw();
        }

        [UnmanagedCallersOnly]
        private static void Enter(void* data)
        {
            var region = (Region)GCHandle.FromIntPtr((nint)data).Target!;
            inside = true;
            try
            {
                region.body!(ThreadNumber(), TeamSize());
            }
            catch (Exception e) // must not unwind through native frames
            {
                region.failure = ExceptionDispatchInfo.Capture(e);
            }
            finally
            {
                inside = false;
            }
        }
    }
}
