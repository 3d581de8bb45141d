namespace Rlp.Benchmarks.Measuring;

/// <summary>Resident memory of this process in bytes, from Linux's /proc.</summary>
internal static class ResidentMemory
{
    public static long Now() => Status("VmRSS");

    /// <summary>The highest since <see cref="ResetPeak"/>.</summary>
    public static long Peak() => Status("VmHWM");

    public static void ResetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    private static long Status(string key)
    {
        var line = File.ReadLines("/proc/self/status").Single(l => l.StartsWith(key + ":", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal).Trim());
    }
}
