using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Rlp.Consoles;

namespace Rlp.Cli.Consoles;

/// <summary>
/// `rlp runs` beside a node, in a process of its own: what executes steps again may neither share the engines' threads nor end the node with it.
/// </summary>
/// <param name="config">The node's configuration file.</param>
/// <param name="overrides">Keys of it that its command line overrides: key=value.</param>
/// <param name="runsFolder">The node's folder of runs.</param>
internal sealed class NodeRunsCommand(string config, IReadOnlyList<string> overrides, string runsFolder)
{
    /// <summary>The lines of its standard output as they come. It ends with the last, or when it is cancelled.</summary>
    /// <exception cref="CommandFailedException">It fails; the message is what it says on its standard error.</exception>
    public async IAsyncEnumerable<string> LinesAsync(IReadOnlyList<string> words, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var forks = words[0] == "fork"; // whose --set is for the recipe
        if (forks && overrides.FirstOrDefault(o => o.StartsWith("journal.", StringComparison.Ordinal)) is { } elsewhere)
            throw new CommandFailedException($"this node was started with --set {elsewhere.Split('=')[0]}, which 'rlp runs fork' cannot be told; let the node's configuration file say it");
        string[] journal = ["--config", Path.GetFullPath(config), "--runs", runsFolder, .. forks ? [] : overrides.SelectMany(o => (string[])["--set", o])];
        var executable = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "rlp.exe" : "rlp");
        using var process = new Process { StartInfo = new ProcessStartInfo(executable, ["runs", .. words, .. journal]) { RedirectStandardOutput = true, RedirectStandardError = true } };
        var (lines, errors) = (Channel.CreateUnbounded<string>(), new List<string>());
        process.OutputDataReceived += (_, line) => Take(line.Data, l => lines.Writer.TryWrite(l), () => lines.Writer.TryComplete());
        process.ErrorDataReceived += (_, line) => Take(line.Data, errors.Add, () => { });
        process.Start();
        try
        {
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            await foreach (var line in lines.Reader.ReadAllAsync(cancellation)) yield return line;
            await process.WaitForExitAsync(cancellation);
            if (process.ExitCode != ExitCodes.Done)
                throw new CommandFailedException(errors.Count > 0 ? string.Join('\n', errors.Select(Plain)) : $"'rlp runs {words[0]}' ends with exit code {process.ExitCode}");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static void Take(string? line, Action<string> take, Action end)
    {
        if (line is null) end();
        else take(line);
    }

    private static string Plain(string error) => error.StartsWith("rlp: ", StringComparison.Ordinal) ? error["rlp: ".Length..] : error;
}
