using System.Diagnostics;
using Rlp.Protocol.Events;

namespace Rlp.Actors.Runs;

/// <summary>What a loss costs the run, from its being known to the next newly applied step. Losses before that step count as one.</summary>
internal sealed class RecoveryClock
{
    private string? cause;
    private double detectionSeconds;
    private long known;
    private long redoneSteps;
    private long repeatedLanes;
    private long duplicateGroups;

    /// <param name="what">What was lost, for people.</param>
    /// <param name="silentSeconds">Since its last sign of life.</param>
    public void Lost(string what, double silentSeconds)
    {
        if (cause is null)
            (known, detectionSeconds) = (Stopwatch.GetTimestamp(), silentSeconds);
        cause = cause is null ? what : $"{cause}; {what}";
    }

    public void Redone() => redoneSteps++;

    public void LaneRepeated() => repeatedLanes++;

    public void Duplicate(int groups) => duplicateGroups += groups;

    /// <summary>A step is about to be journaled: the event that goes with it; null where nothing was lost before it.</summary>
    public RunRecovered? Applied(StepApplied step)
    {
        if (cause is null)
            return null;
        var recovered = new RunRecovered
        {
            RunId = step.RunId,
            Stage = step.Stage,
            Step = step.Step,
            Cause = cause,
            DetectionSeconds = detectionSeconds,
            RecoverySeconds = Stopwatch.GetElapsedTime(known).TotalSeconds,
            RedoneSteps = redoneSteps,
            RepeatedLanes = repeatedLanes,
            DuplicateGroups = duplicateGroups,
        };
        (cause, redoneSteps, repeatedLanes, duplicateGroups) = (null, 0, 0, 0);
        return recovered;
    }
}
