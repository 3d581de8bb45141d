namespace Rlp.Chaos.Tests;

/// <summary>Runs that nothing disturbed, for others to be compared with: one of each kind, made when it is first asked for.</summary>
public sealed class UninterruptedRuns : IDisposable
{
    private readonly Dictionary<string, string> digests = [];

    public string Folder { get; } = Directory.CreateTempSubdirectory("rlp-chaos-").FullName;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>The digests of the run of this id, which these assignments make.</summary>
    internal async Task<string> DigestsAsync(string run, int steps, params string[] assignments)
    {
        if (digests.TryGetValue(run, out var known)) return known;
        var (code, output) = await RlpProcess.RunAsync(SmallRun.Train(Folder, run, assignments));
        Assert.True(code == 0, output);
        return digests[run] = await SmallRun.DigestsAsync(Folder, run, steps);
    }
}
