using System.Runtime.InteropServices;

namespace Rlp.Training;

/// <summary>
/// How libtorch's OpenMP threads wait for their next piece of work. libgomp lets them spin for milliseconds, on the assumption that the cores are
/// theirs alone; where they are not, the spinning threads take the time that the working ones need. `openmp` of tests/Rlp.Benchmarks compares
/// settings on idle and on busy cores.
/// </summary>
public static partial class OpenMpWaiting
{
    /// <summary>
    /// GOMP_SPINCOUNT: turns of libgomp's waiting loop before a thread sleeps; some 0.4 ms, longer than what lies between two loops of one token.
    /// </summary>
    public const int SpinCount = 10_000;

    private const string SpinVariable = "GOMP_SPINCOUNT", PolicyVariable = "OMP_WAIT_POLICY";

    /// <summary>
    /// Sets it for this process, where the user has not. Before anything of libtorch is loaded: libgomp reads its variables once, with the C
    /// library's getenv, which does not see what .NET's Environment sets.
    /// </summary>
    public static void Prepare()
    {
        if (!OperatingSystem.IsLinux() || UsersOwn() is not null) return;
        _ = SetEnvironment(SpinVariable, SpinCount.ToString(System.Globalization.CultureInfo.InvariantCulture), overwrite: 0);
    }

    /// <summary>What libgomp finds, for people.</summary>
    public static string Describe()
    {
        if (UsersOwn() is { } own) return $"{own} (the user's)";
        return OperatingSystem.IsLinux() && Native(SpinVariable) is { } value ? $"{SpinVariable}={value}" : "OpenMP's own default";
    }

    /// <summary>.NET copied the environment when the process began: what stands there is the user's.</summary>
    private static string? UsersOwn() =>
        ((string[])[PolicyVariable, SpinVariable])
        .Where(name => Environment.GetEnvironmentVariable(name) is { Length: > 0 })
        .Select(name => $"{name}={Environment.GetEnvironmentVariable(name)}").FirstOrDefault();

    private static string? Native(string name) => Marshal.PtrToStringUTF8(GetEnvironment(name));

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetEnvironment(string name);
}
