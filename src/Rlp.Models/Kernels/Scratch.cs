using System.Runtime.InteropServices;

namespace Rlp.Models.Kernels;

/// <summary>Native float32 memory, aligned to a cache line, not initialised.</summary>
internal sealed unsafe class Scratch : IDisposable
{
    private float* start;

    public Scratch(long length) => start = (float*)NativeMemory.AlignedAlloc((nuint)(Math.Max(1, length) * sizeof(float)), 64);

    ~Scratch() => Free();

    public static implicit operator float*(Scratch scratch) => scratch.start;

    public static float* operator +(Scratch scratch, long offset) => scratch.start + offset;

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(start);
        start = null;
    }
}
