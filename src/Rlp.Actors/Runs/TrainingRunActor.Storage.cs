using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

// The run entity and a disk that does not take its checkpoint: full, read-only, away.
internal sealed partial class TrainingRunActor
{
    private static readonly TimeSpan LongestWaitForRoom = TimeSpan.FromMinutes(1);

    private (DateTimeOffset Since, int Attempts)? noRoom;

    private sealed class WriteAgain
    {
        public static readonly WriteAgain Instance = new();
    }

    /// <summary>
    /// The engines hold what they held: the run waits, and tries again with a growing pause. Who asks it to stop meanwhile has it paused without
    /// this checkpoint.
    /// </summary>
    private void AwaitRoom(long step, string reason)
    {
        checkpointing = CheckpointStage.None;
        checkpoints.Discard(TemporaryFolder(step)); // half a checkpoint is of no use, and the journal may need its room
        var (since, attempts) = noRoom ?? (DateTimeOffset.UtcNow, 0);
        noRoom = (since, ++attempts);
        var pause = TimeSpan.FromTicks((long)Math.Min(options.RestartBackoff.Ticks * Math.Pow(2, Math.Min(attempts - 1, 30)), LongestWaitForRoom.Ticks));
        var what = $"the checkpoint of stage '{execution.Stage}' step {step} cannot be written: {reason}";
        if (execution.StopReason is { } stop)
        {
            Notice($"{what}. The run is paused without it; when it goes on, the steps after its last checkpoint are done again");
            Persist([new RunPaused { RunId = runId, Reason = stop }], () =>
            {
                busy = null;
                Advance();
            });
        }
        else if (DateTimeOffset.UtcNow + pause - since > options.StorageGiveUpAfter)
        {
            Fail(FailureKind.Infrastructure, $"{what}, since {since:u}. Free space there and start the same run again: it goes on from its last checkpoint");
        }
        else
        {
            Notice($"{what}. Free space there; nothing is lost, the run waits and tries again in {pause.TotalSeconds:0.#} s (since {since:u}, attempt {attempts})");
            Timers.StartSingleTimer(WriteAgain.Instance, WriteAgain.Instance, pause);
        }
    }

    private void TryToWrite()
    {
        if (noRoom is null || busy is not RunAction.CommitCheckpoint || checkpointing != CheckpointStage.None)
            return;
        busy = null;
        Advance();
    }

    private void RoomFound(CheckpointCommitted committed)
    {
        if (noRoom is { } wait)
            Notice($"the checkpoint of stage '{committed.Stage}' step {committed.Step} is written after {(DateTimeOffset.UtcNow - wait.Since).TotalSeconds:0.#} s; the run goes on");
        noRoom = null;
    }
}
