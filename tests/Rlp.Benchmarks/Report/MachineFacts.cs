using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using TorchSharp;

namespace Rlp.Benchmarks.Report;

/// <summary>What figures depend on beside the code.</summary>
internal sealed record MachineFacts(
    string Date, string Commit, int Cores, int Threads, string Cpu, [property: JsonPropertyName("memory_gib")] double MemoryGiB,
    string System, string Runtime, string TorchSharp, string Libtorch, string Peer)
{
    public static MachineFacts Of(BenchmarkSettings settings) => new(
        DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture),
        Git("rev-parse --short=12 HEAD") + (Git("status --porcelain --untracked-files=no").Length == 0 ? "" : " with changes"),
        Environment.ProcessorCount, settings.Threads, Processor(),
        Math.Round(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1L << 30), 1),
        RuntimeInformation.OSDescription, RuntimeInformation.FrameworkDescription,
        typeof(torch).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0],
        torch.__version__, LlamaCpp.Version);

    public string Text() =>
        $"{Cores} cores of {Cpu}, {Threads} threads, {MemoryGiB} GiB; {System}; {Runtime}; TorchSharp {TorchSharp}, libtorch {Libtorch}; "
        + $"llama.cpp {Peer}; {Date}; commit {Commit}";

    private static string Processor()
    {
        if (!File.Exists("/proc/cpuinfo")) return RuntimeInformation.ProcessArchitecture.ToString();
        var lines = File.ReadAllLines("/proc/cpuinfo");
        var vectors = Value("flags").Contains("avx512f", StringComparison.Ordinal) ? ", AVX-512" : "";
        return $"{Value("model name")} (family {Value("cpu family")}, model {Value("model")}{vectors})";

        string Value(string key) =>
            lines.FirstOrDefault(l => l.Split(':')[0].Trim() == key)?.Split(':')[1].Trim() ?? "unknown";
    }

    private static string Git(string arguments)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var output = git.StandardOutput.ReadToEnd().Trim();
            git.WaitForExit();
            return git.ExitCode == 0 ? output : "unknown";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "unknown"; // no git on this machine
        }
    }
}
