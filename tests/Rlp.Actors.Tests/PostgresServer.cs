using System.Diagnostics;

namespace Rlp.Actors.Tests;

/// <summary>A PostgreSQL server of its owner's own, which may crash: made by .ci/postgres.</summary>
internal sealed class PostgresServer : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-postgres-").FullName;

    public PostgresServer() => ConnectionString = Call("start", folder);

    /// <summary>Why there can be none on this machine; null where there can.</summary>
    public static string? Missing =>
        Directory.Exists("/usr/lib/postgresql") ? null : "a PostgreSQL server of one's own needs Debian's package postgresql on this machine";

    public string ConnectionString { get; }

    /// <summary>Of the server as it runs now.</summary>
    public int ProcessId => int.Parse(File.ReadLines(Path.Combine(folder, "data", "postmaster.pid")).First(), System.Globalization.CultureInfo.InvariantCulture);

    public void Start() => Call("start", folder);

    /// <summary>As a crash of the server does: no connection is told, nothing is flushed.</summary>
    public void Kill() => Call("stop", folder, "immediate");

    public void Dispose()
    {
        try
        {
            Kill();
        }
        catch (InvalidOperationException)
        {
            // It is not running: its owner stopped it.
        }
        Directory.Delete(folder, recursive: true);
    }

    private static string Call(params string[] arguments)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "RLP.Akka.sln")))
            directory = directory.Parent;
        var start = new ProcessStartInfo(Path.Combine(directory.FullName, ".ci", "postgres"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var printed = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return process.ExitCode == 0 ? printed : throw new InvalidOperationException($".ci/postgres {string.Join(' ', arguments)}: {printed} {errors.Result}");
    }
}
