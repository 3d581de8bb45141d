using System.Diagnostics;
using Rlp.Protocol.Events;

namespace Rlp.Actors.Nodes;

/// <summary>
/// States of a step at which a test wants a process to die, as <c>kill -9</c> would have it. The environment variable <see cref="Variable"/> names a
/// folder; a file <c>STATE@STAGE:STEP</c> in it, such as <c>learner-applied@rlp:7</c>, arms that state. The first process to reach it renames the
/// file to <c>STATE@STAGE:STEP.reached</c> and kills itself; whoever comes after it passes. Without the variable nothing is looked at.
/// </summary>
internal static class FailPoint
{
    public const string Variable = "RLP_FAIL_POINTS";

    /// <summary>One of a lane's two workers has answered, the other has not.</summary>
    public const string LaneHalfDone = "lane-half-done";

    /// <summary>The learner has changed its weights; nobody knows yet.</summary>
    public const string LearnerApplied = "learner-applied";

    /// <summary>The teacher has followed the policy; nobody knows yet.</summary>
    public const string TeacherUpdated = "teacher-updated";

    /// <summary>All weights of a checkpoint are written; its folder has its temporary name.</summary>
    public const string CheckpointWritten = "checkpoint-written";

    /// <summary>A checkpoint has its final name; the journal does not know of it.</summary>
    public const string CheckpointSealed = "checkpoint-sealed";

    private static readonly string? Folder = Environment.GetEnvironmentVariable(Variable);

    public static void Reach(string state, string stage, long step)
    {
        if (Folder is not null)
            DieIfArmed(Path.Combine(Folder, $"{state}@{stage}:{step}"));
    }

    /// <summary>What the run entity has journaled: step-planned (before any lane is asked), groups-accepted (of the first lanes), step-applied.</summary>
    public static void ReachDurable(IReadOnlyList<IRunEvent> events)
    {
        if (Folder is null)
            return;
        foreach (var @event in events)
            switch (@event)
            {
                case StepPlanned planned:
                    Reach("step-planned", planned.Stage, planned.Step);
                    break;
                case GroupsAccepted accepted:
                    Reach("groups-accepted", accepted.Stage, accepted.Step);
                    break;
                case StepApplied applied:
                    Reach("step-applied", applied.Stage, applied.Step);
                    break;
            }
    }

    private static void DieIfArmed(string armed)
    {
        if (!File.Exists(armed))
            return;
        try
        {
            File.Move(armed, armed + ".reached");
        }
        catch (FileNotFoundException)
        {
            return; // another process was faster
        }
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }
}
