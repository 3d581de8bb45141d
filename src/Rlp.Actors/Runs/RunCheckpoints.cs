using Rlp.Protocol.Payloads;
using Rlp.Training.Checkpoints;

namespace Rlp.Actors.Runs;

/// <summary>
/// The checkpoint folders of one run. The journal holds their paths relative to the run's folder, because the runs folder may be moved.
/// </summary>
public sealed class RunCheckpoints(string runFolder)
{
    public string Folder => runFolder;

    public string Relative(string path) => Path.GetRelativePath(runFolder, path);

    public WireCheckpoint? Absolute(WireCheckpoint? checkpoint) => checkpoint is null ? null : checkpoint with { Path = PathOf(checkpoint) };

    /// <summary>The folder in which the checkpoint of a step is being made.</summary>
    public string Unfinished(string stage, long step) => CheckpointFolder.UnfinishedPath(runFolder, stage, step);

    /// <summary>Deletes what a process that died was writing: it is no checkpoint. One notice for each folder.</summary>
    public IReadOnlyList<string> ClearUnfinished()
    {
        var notices = new List<string>();
        foreach (var unfinished in CheckpointFolder.FindUnfinished(runFolder))
        {
            // It may not go where an engine call of an earlier incarnation still writes it.
            var fate = Delete(unfinished) is { } reason ? $"it cannot be deleted ({reason})" : "it is deleted";
            notices.Add($"{unfinished} was not finished when its process ended; {fate}, the run goes on from its last committed checkpoint");
        }
        return notices;
    }

    /// <summary>Deletes what an attempt left that failed.</summary>
    public void Discard(string unfinished) => Delete(unfinished);

    /// <summary>Deletes a stage's checkpoints but the newest; one notice for each folder that stays against that.</summary>
    public IReadOnlyList<string> Prune(IEnumerable<WireCheckpoint> checkpoints, string stage, int keep)
    {
        var notices = new List<string>();
        foreach (var old in checkpoints.Where(c => c.Stage == stage).DistinctBy(c => c.Step).OrderByDescending(c => c.Step).Skip(keep))
            if (Directory.Exists(PathOf(old)) && Delete(PathOf(old)) is { } reason)
                notices.Add($"the old checkpoint {old.Path} cannot be deleted: {reason}");
        return notices;
    }

    private string PathOf(WireCheckpoint checkpoint) => Path.GetFullPath(Path.Combine(runFolder, checkpoint.Path));

    /// <summary>Why the folder could not be deleted; null where it was.</summary>
    private static string? Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
