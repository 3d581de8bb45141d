using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Rlp.Chaos.Tests;

/// <summary>A real `rlp` process with its output.</summary>
internal sealed class RlpProcess : IDisposable
{
    public const int SigInt = 2;
    public const int SigKill = 9;
    public const int SigTerm = 15;
    public const int SigCont = 18;
    public const int SigStop = 19;

    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly List<(string Text, TaskCompletionSource Seen)> awaited = [];

    private RlpProcess(Process process) => this.process = process;

    /// <summary>The repository's root: where the recipes lie.</summary>
    public static string Root { get; } = FindRoot();

    public string Output
    {
        get
        {
            lock (output) return output.ToString();
        }
    }

    public bool HasEnded => process.HasExited;

    public int Id => process.Id;

    public static RlpProcess Start(params string[] arguments) => Start(new Dictionary<string, string>(), [], arguments);

    /// <param name="enter">The command that the command line begins with, which becomes `rlp` without another process; empty: none.</param>
    public static RlpProcess Start(IReadOnlyDictionary<string, string> environment, string[] enter, string[] arguments)
    {
        // The same configuration and framework as this test: bin/CONFIGURATION/FRAMEWORK.
        var framework = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var executable = Path.Combine(Root, "src", "Rlp.Cli", "bin", framework.Parent!.Name, framework.Name, "rlp");
        string[] line = [.. enter, executable, .. arguments];
        var started = new RlpProcess(new Process
        {
            StartInfo = new ProcessStartInfo(line[0], line[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Root },
        });
        foreach (var (name, value) in environment) started.process.StartInfo.Environment[name] = value;
        started.process.OutputDataReceived += (_, line) => started.Take(line.Data);
        started.process.ErrorDataReceived += (_, line) => started.Take(line.Data);
        started.process.Start();
        started.process.BeginOutputReadLine();
        started.process.BeginErrorReadLine();
        return started;
    }

    /// <summary>Runs to the end; the exit code and all output.</summary>
    public static Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) => RunAsync(new Dictionary<string, string>(), arguments);

    public static async Task<(int ExitCode, string Output)> RunAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        using var process = Start(environment, [], arguments);
        return (await process.EndAsync(), process.Output);
    }

    /// <summary>Waits until the text has been printed.</summary>
    public async Task SeeAsync(string text)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (output)
        {
            if (output.ToString().Contains(text, StringComparison.Ordinal)) return;
            awaited.Add((text, seen));
        }
        var first = await Task.WhenAny(seen.Task, process.WaitForExitAsync(), Task.Delay(Deadline));
        Assert.True(first == seen.Task, $"'{text}' was not printed:\n{Output}");
    }

    public void Signal(int signal) => Assert.Equal(0, Kill(process.Id, signal));

    public async Task<int> EndAsync()
    {
        using var limit = new CancellationTokenSource(Deadline);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"the process did not end within {Deadline}:\n{Output}");
        }
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null) return;
        lock (output)
        {
            output.AppendLine(line);
            foreach (var (_, seen) in awaited.Where(a => line.Contains(a.Text, StringComparison.Ordinal))) seen.TrySetResult();
        }
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "RLP.Akka.sln"))) return folder.FullName;
        throw new InvalidOperationException($"no RLP.Akka.sln above {AppContext.BaseDirectory}");
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int pid, int signal);
}
