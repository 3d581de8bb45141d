using System.Runtime.InteropServices;

namespace Rlp.Training;

/// <summary>
/// The C library's heap. Each thread that allocates has a part of its own there, which keeps what was freed in it: an engine that ends would leave
/// the memory of its largest pass behind, and the next stage's engines, on threads of their own, would not find it.
/// </summary>
public static partial class NativeHeap
{
    /// <summary>Gives what is free in all parts back to the system, where the C library can.</summary>
    public static void Trim()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = MallocTrim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // A C library without it (musl) gives back by itself.
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int MallocTrim(nuint pad);
}
