using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Rlp.Models.Kernels;

/// <summary>
/// A CUDA stream of its own for operations that are recorded and replayed. libtorch's allocator keeps what was freed on a stream for that stream:
/// while nothing else runs there, the memory that recorded operations wrote to is theirs at every replay. What runs here follows what the default
/// stream was given before, and precedes what it is given afterwards.
/// </summary>
/// <remarks>
/// TorchSharp binds neither streams nor graphs: streams and graphs are the driver's, and libtorch's own C interface makes a stream the current one.
/// The environment variable RLP_CUDA_GRAPHS=0 does without.
/// </remarks>
internal sealed unsafe partial class CudaStream : IDisposable
{
    private const int RelaxedCapture = 2; // a first use of a kernel may load it while others are recorded
    private const uint NonBlocking = 1; // other threads may use the default stream while this one records
    private const uint NoTiming = 2;
    private const nint Default = 0;

    private static readonly delegate* unmanaged<nint, int, nint*, int> CreateGuard =
        (delegate* unmanaged<nint, int, nint*, int>)NativeSymbols.FindCuda("aoti_torch_create_cuda_stream_guard");

    private static readonly delegate* unmanaged<nint, int> DeleteGuard =
        (delegate* unmanaged<nint, int>)NativeSymbols.FindCuda("aoti_torch_delete_cuda_stream_guard");

    private static readonly ConcurrentBag<CudaStream> Idle = [];

    private readonly nint handle, order;

    private CudaStream()
    {
        Check(StreamCreate(out handle, NonBlocking), "cuStreamCreate");
        Check(EventCreate(out order, NoTiming), "cuEventCreate");
    }

    public static bool Available { get; } =
        CreateGuard is not null && DeleteGuard is not null && Environment.GetEnvironmentVariable("RLP_CUDA_GRAPHS") != "0";

    /// <summary>A stream that nobody else uses until it is disposed: streams stay, with the memory that was freed on them.</summary>
    public static CudaStream Rent() => Idle.TryTake(out var idle) ? idle : new CudaStream();

    /// <summary>Runs operations of libtorch on this stream.</summary>
    public void Run(Action operations)
    {
        Follow(handle, Default);
        Issue(operations);
        Follow(Default, handle);
    }

    public void Launch(CudaGraph graph)
    {
        Follow(handle, Default);
        graph.Launch(handle);
        Follow(Default, handle);
    }

    /// <summary>What one stream is given from now on waits for what the other was given before.</summary>
    private void Follow(nint later, nint earlier)
    {
        Check(EventRecord(order, earlier), "cuEventRecord");
        Check(StreamWaitEvent(later, order, 0), "cuStreamWaitEvent");
    }

    private void Issue(Action operations)
    {
        nint guard;
        if (CreateGuard(handle, 0, &guard) != 0) throw new InvalidOperationException("libtorch does not take the stream; the reason is on the error stream");
        try
        {
            operations();
        }
        finally
        {
            _ = DeleteGuard(guard);
        }
    }

    /// <summary>Records operations without running them. They must have run here before: what they allocate, load and initialise is then there.</summary>
    public CudaGraph Record(Action operations)
    {
        nint graph = 0;
        Issue(() =>
        {
            Check(BeginCapture(handle, RelaxedCapture), "cuStreamBeginCapture");
            var code = -1;
            try
            {
                operations();
            }
            finally
            {
                code = EndCapture(handle, out graph);
            }
            Check(code, "cuStreamEndCapture");
        });
        try
        {
            Check(Instantiate(out var executable, graph, 0), "cuGraphInstantiate");
            return new CudaGraph(executable);
        }
        finally
        {
            _ = GraphDestroy(graph);
        }
    }

    public void Dispose() => Idle.Add(this);

    internal static void Check(int code, string call)
    {
        if (code != 0) throw new InvalidOperationException($"the CUDA driver's {call} returned {code}; RLP_CUDA_GRAPHS=0 does without graphs");
    }

    [LibraryImport("libcuda.so.1", EntryPoint = "cuStreamCreate")]
    private static partial int StreamCreate(out nint stream, uint flags);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuStreamWaitEvent")]
    private static partial int StreamWaitEvent(nint stream, nint happened, uint flags);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuEventCreate")]
    private static partial int EventCreate(out nint created, uint flags);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuEventRecord")]
    private static partial int EventRecord(nint happened, nint stream);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuStreamBeginCapture_v2")]
    private static partial int BeginCapture(nint stream, int mode);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuStreamEndCapture")]
    private static partial int EndCapture(nint stream, out nint graph);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuGraphInstantiateWithFlags")]
    private static partial int Instantiate(out nint executable, nint graph, ulong flags);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuGraphDestroy")]
    private static partial int GraphDestroy(nint graph);
}

/// <summary>Recorded operations, replayed by one call.</summary>
internal sealed partial class CudaGraph(nint executable) : IDisposable
{
    public void Launch(nint stream) => CudaStream.Check(GraphLaunch(executable, stream), "cuGraphLaunch");

    public void Dispose() => _ = GraphDestroy(executable);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuGraphLaunch")]
    private static partial int GraphLaunch(nint executable, nint stream);

    [LibraryImport("libcuda.so.1", EntryPoint = "cuGraphExecDestroy")]
    private static partial int GraphDestroy(nint executable);
}
