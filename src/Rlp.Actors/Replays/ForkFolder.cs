using Rlp.Actors.Hosting;
using Rlp.Actors.Runs;
using Rlp.Actors.Workers;
using Rlp.Protocol.Payloads;
using Rlp.Training.Checkpoints;
using Rlp.Training.Engines;

namespace Rlp.Actors.Replays;

/// <summary>
/// The folder of a run that is being forked: its checkpoints, before anything of it stands in the journal. Made under a name that no run can have
/// and renamed when it is whole, so that a fork that was interrupted can be begun again.
/// </summary>
public sealed class ForkFolder : IDisposable
{
    private readonly string making;
    private readonly string final;
    private readonly string runId;
    private readonly List<WireCheckpoint> made = [];
    private RunLock? held;

    private ForkFolder(string making, string final, string runId, RunLock held) => (this.making, this.final, this.runId, this.held) = (making, final, runId, held);

    /// <summary>What it holds, by paths relative to the new run's folder.</summary>
    public IReadOnlyList<WireCheckpoint> Checkpoints => made;

    /// <exception cref="RunRefusedException">The run's folder exists, or another process is making it.</exception>
    public static ForkFolder Begin(string runsFolder, string runId)
    {
        var final = Path.Combine(runsFolder, runId);
        if (Path.Exists(final))
            throw new RunRefusedException(
                FailureKind.Configuration, $"{final} exists; choose another run id, or remove the folder where the journal has no run of that id");
        var making = Path.Combine(runsFolder, $".{runId}.forking");
        var (held, refusal) = RunLock.TryAcquire(making);
        if (held is null)
            throw new RunRefusedException(FailureKind.Infrastructure, $"the fork '{runId}' cannot be made: {refusal}");
        foreach (var left in Directory.GetDirectories(making))
            Directory.Delete(left, recursive: true);
        return new ForkFolder(making, final, runId, held);
    }

    /// <summary>Copies the final checkpoints of the complete stages that stages after the fork start from or the comparison measures.</summary>
    /// <exception cref="CheckpointException">One of them is missing or damaged.</exception>
    public void TakeOver(RunReplay source, string runFolder, string stage, RunPlan plan)
    {
        var past = source.State.Plan.Stages.TakeWhile(s => s.Id != stage).Select(s => s.Id).ToArray();
        var needed = plan.Stages.SkipWhile(s => s.Id != stage).Select(s => s.From).Concat(plan.Compared.Select(c => c.Stage)).ToHashSet();
        foreach (var complete in past.Where(needed.Contains))
            Copy(runFolder, source.State.FinalCheckpoint(complete) ?? throw new CheckpointException($"stage '{complete}' of run '{source.State.RunId}' has no final checkpoint yet"));
    }

    /// <summary>
    /// The checkpoint of the state after a step: that of the source where it is there, else one that is made by executing the steps since the one
    /// before it again, which must come out as the journal says.
    /// </summary>
    /// <param name="notice">Hears what a person should know.</param>
    /// <param name="progress">Hears of each step that is executed again.</param>
    /// <exception cref="ReplayImpossibleException">The state cannot be had: no checkpoint to start from is left, or a step came out differently.</exception>
    public void Reach(RunReplay source, string runFolder, string stage, long step, Action<string> notice, Action<ReplayedStep> progress)
    {
        var history = source.Stages.First(s => s.Stage == stage);
        if (history.Checkpoints.LastOrDefault(c => c.Step == step) is { } there && Directory.Exists(Path.Combine(runFolder, there.Path)))
            try
            {
                Copy(runFolder, there, history.Steps[(int)step - 1].Applied.ParametersSha256);
                return;
            }
            catch (Exception e) when (e is CheckpointException or IOException or UnauthorizedAccessException)
            {
                notice($"the checkpoint of stage '{stage}' step {step} cannot be used: {e.Message}");
            }
        using var replay = source.Open(stage, step, notice, (runId, making));
        notice($"no checkpoint of step {step} is there: steps {replay.Start + 1} to {step} of stage '{stage}' are executed again from "
            + (replay.Start == 0 ? "the stage's start" : $"the checkpoint of step {replay.Start}"));
        while (replay.Step < step)
        {
            var again = replay.Next();
            progress(again);
            if (again.Divergences is [var first, ..])
                throw new ReplayImpossibleException(
                    $"step {again.Journaled.Applied.Step} of stage '{stage}' was executed again and did not reproduce the journal: {first.What} was {first.Expected} and is now "
                    + $"{first.Found}. {string.Join(". ", RunReplay.OtherEnvironment(again.Journaled, replay.Threads).Prepend("A fork begins with the very state of the run"))}");
        }
        made.Add(Relative(replay.Save()));
    }

    /// <summary>Gives the folder its final name.</summary>
    public void Finish()
    {
        Release();
        Directory.Move(making, final);
    }

    /// <summary>Removes what was made: the journal did not take the run.</summary>
    public void Discard() => Directory.Delete(final, recursive: true);

    /// <summary>What was not finished goes.</summary>
    public void Dispose()
    {
        if (held is null)
            return;
        Release();
        Directory.Delete(making, recursive: true);
    }

    private void Release()
    {
        held?.Dispose();
        held = null;
        File.Delete(RunLock.PathOf(making));
    }

    private void Copy(string runFolder, WireCheckpoint checkpoint, string? parametersSha256 = null)
    {
        var target = Path.Combine(making, checkpoint.Path);
        if (Directory.Exists(target))
            Directory.Delete(target, recursive: true);
        Directory.CreateDirectory(target);
        var source = Path.Combine(runFolder, checkpoint.Path);
        if (!Directory.Exists(source))
            throw new CheckpointException($"checkpoint {source} is missing");
        foreach (var file in Directory.EnumerateFiles(source))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        var manifest = CheckpointFolder.Verify(WireFormat.Read(checkpoint with { Path = target })!);
        if (parametersSha256 is not null && manifest.ParametersSha256 != parametersSha256)
            throw new CheckpointException($"checkpoint {source} holds parameters {manifest.ParametersSha256}, the journal says {parametersSha256}");
        made.Add(checkpoint);
    }

    private WireCheckpoint Relative(CheckpointReference written) => WireFormat.Write(written) with { Path = Path.GetRelativePath(making, written.Path) };
}
