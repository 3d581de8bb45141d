using System.Diagnostics;

namespace Rlp.Chaos.Tests;

/// <summary>A file system of its own (tmpfs) over a folder, which can be filled to the last byte and enlarged. Needs Linux and root.</summary>
internal sealed class FullDisk : IDisposable
{
    private readonly string folder;

    private FullDisk(string folder) => this.folder = folder;

    /// <summary>The disk, or why there can be none here.</summary>
    public static (FullDisk? Disk, string Problem) Mount(string folder)
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess) return (null, "a disk to fill needs Linux and root");
        Directory.CreateDirectory(folder);
        return Run("mount", "-t", "tmpfs", "-o", "size=8m", "rlp", folder) is { } problem ? (null, problem) : (new FullDisk(folder), "");
    }

    public void Fill()
    {
        using var ballast = new FileStream(Path.Combine(folder, "ballast"), FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true) ballast.Write(new byte[4096]);
        }
        catch (IOException)
        {
            // It is full.
        }
    }

    public void Enlarge() => Assert.Null(Run("mount", "-o", "remount,size=64m", folder));

    public void Dispose() => Run("umount", "--lazy", folder);

    private static string? Run(string command, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? null : $"{command}: {error.Trim()}";
    }
}
