namespace Rlp.Actors.Runs;

/// <summary>Held while a process runs a run: an open file that nobody else can open. The system releases it when the process dies.</summary>
internal sealed class RunLock : IDisposable
{
    private readonly FileStream file;

    private RunLock(FileStream file) => this.file = file;

    public static string PathOf(string runFolder) => Path.Combine(runFolder, "lock");

    /// <summary>The lock, or null and why it cannot be had.</summary>
    public static (RunLock? Lock, string Refusal) TryAcquire(string runFolder)
    {
        var path = PathOf(runFolder);
        try
        {
            Directory.CreateDirectory(runFolder);
            return (new RunLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None)), "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, $"the run's lock {path} cannot be taken: {e.Message} Another process has the run open: stop that one, or choose another run id");
        }
    }

    public void Dispose() => file.Dispose();
}
