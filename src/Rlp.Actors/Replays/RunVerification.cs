namespace Rlp.Actors.Replays;

/// <summary>What came of executing steps of a stage again.</summary>
/// <param name="Start">The last step it began after: below <see cref="From"/> - 1 where no newer checkpoint was left.</param>
/// <param name="From">The first step that was asked for.</param>
/// <param name="To">The last step that was asked for.</param>
/// <param name="Verified">Steps that were equal, those before <see cref="From"/> included.</param>
/// <param name="Diverged">The first step that was not; null where all were.</param>
/// <param name="OtherEnvironment">What this machine is that the journal's was not; empty where nothing is.</param>
public sealed record RunVerification(
    string Stage, long Start, long From, long To, long Verified, ReplayedStep? Diverged, IReadOnlyList<string> OtherEnvironment)
{
    /// <summary>
    /// Executes the steps of a stage again and compares everything that the journal holds of them, up to the first divergence. On the calling
    /// thread, without writing anything.
    /// </summary>
    /// <param name="notice">Hears what a person should know: an earlier start, checkpoints that cannot be used, another environment.</param>
    /// <param name="progress">Hears of each step.</param>
    /// <exception cref="ReplayImpossibleException">The steps cannot be executed again here.</exception>
    public static RunVerification Of(
        RunReplay run, string stage, long from, long to, Action<string> notice, Action<ReplayedStep> progress, CancellationToken cancellation = default)
    {
        using var replay = run.Open(stage, from, notice);
        if (replay.Start < from - 1)
            notice($"stage '{stage}' is executed from {(replay.Start == 0 ? "its start" : $"the checkpoint of step {replay.Start}")}: no checkpoint nearer to step {from} is left");
        var other = new List<string>();
        ReplayedStep? diverged = null;
        while (diverged is null && replay.Step < to)
        {
            cancellation.ThrowIfCancellationRequested();
            var step = replay.Next();
            foreach (var difference in RunReplay.OtherEnvironment(step.Journaled, replay.Threads).Except(other).ToArray())
            {
                other.Add(difference);
                notice($"another environment from step {step.Journaled.Applied.Step} of stage '{stage}' on: {difference}");
            }
            progress(step);
            if (step.Divergences.Count > 0)
                diverged = step;
        }
        var verified = (diverged?.Journaled.Applied.Step - 1 ?? replay.Step) - replay.Start;
        return new RunVerification(stage, replay.Start, from, to, verified, diverged, other);
    }
}
