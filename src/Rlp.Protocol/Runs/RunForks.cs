using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Runs;

/// <summary>
/// How a run becomes two. The fork's journal begins with the other run's events up to the step, under the fork's own id: its state, digests,
/// metrics and comparison follow from it as those of any run. What came of the other run's life, its stops, failures and the checkpoints that are
/// not taken over, is left out, and so is what it had planned and sampled ahead of the step.
/// </summary>
public static class RunForks
{
    /// <summary>All events of the new run, which they leave paused.</summary>
    /// <param name="source">The events of <see cref="ForkRun.FromRunId"/>.</param>
    /// <exception cref="InvalidOperationException">The source has no such step, or the new plan does not hold its past; the message says which.</exception>
    public static IReadOnlyList<IRunEvent> Events(IReadOnlyList<IRunEvent> source, ForkRun fork, long nowUnixMilliseconds)
    {
        if (source is not [RunCreated created, ..])
            throw new InvalidOperationException($"there is no run '{fork.FromRunId}' in the journal");
        var steps = source.OfType<StepApplied>().Where(s => s.Stage == fork.Stage).ToArray();
        if (fork.Step < 0 || fork.Step > steps.Length)
            throw new InvalidOperationException($"run '{fork.FromRunId}' has applied {steps.Length} steps of stage '{fork.Stage}', not {fork.Step}");
        CheckPlan(created.Plan, fork);

        var events = new List<IRunEvent>
        {
            created with
            {
                RunId = fork.RunId,
                RecipeJson = fork.RecipeJson,
                RecipeSha256 = fork.RecipeSha256,
                CreatedUnixMilliseconds = nowUnixMilliseconds,
                Plan = fork.Plan,
                Lineage = new RunLineage
                {
                    RunId = fork.FromRunId,
                    Stage = fork.Stage,
                    Step = fork.Step,
                    ParametersSha256 = fork.Step == 0 ? "" : steps[(int)fork.Step - 1].ParametersSha256,
                },
            },
        };
        events.AddRange(Past(source, fork, created.Environment));
        events.AddRange(Committed(fork, fork.Stage));
        events.Add(new RunPaused { RunId = fork.RunId, Reason = $"forked from run '{fork.FromRunId}' after step {fork.Step} of stage '{fork.Stage}'" });
        _ = events.Aggregate(RunState.Empty, (state, e) => state.Apply(e)); // refused here rather than at the fork's recovery
        return events;
    }

    private static IEnumerable<IRunEvent> Past(IReadOnlyList<IRunEvent> source, ForkRun fork, RunEnvironment environment)
    {
        foreach (var e in source)
            switch (e)
            {
                case StageStarted s when s.Stage == fork.Stage && fork.Step == 0:
                    yield break;
                case StageStarted s:
                    yield return s with { RunId = fork.RunId };
                    break;
                case StepPlanned p when Before(p.Stage, p.Step):
                    yield return p with { RunId = fork.RunId };
                    break;
                case GroupsAccepted a when Before(a.Stage, a.Step):
                    yield return a with { RunId = fork.RunId };
                    break;
                case StepApplied a when Before(a.Stage, a.Step):
                    yield return a with { RunId = fork.RunId };
                    break;
                case StepApplied:
                    yield break; // the first after the fork; evaluations of the step before it have come
                case StageEvaluated { Compared: false } v:
                    yield return v with { RunId = fork.RunId };
                    break;
                case StageCompleted c when c.Stage == fork.Stage:
                    yield break;
                case StageCompleted c:
                    foreach (var committed in Committed(fork, c.Stage))
                        yield return committed;
                    yield return c with { RunId = fork.RunId };
                    break;
                case RunResumed r when !Same(r.Environment, environment): // what decides the bits of the steps from here on
                    environment = r.Environment;
                    yield return r with { RunId = fork.RunId };
                    break;
            }

        bool Before(string stage, long step) => stage != fork.Stage || step <= fork.Step;
    }

    private static IEnumerable<CheckpointCommitted> Committed(ForkRun fork, string stage) => fork.Checkpoints.Where(c => c.Stage == stage)
        .Select(c => new CheckpointCommitted { RunId = fork.RunId, Stage = c.Stage, Step = c.Step, Path = c.Path, Sha256 = c.Sha256 });

    /// <summary>The stages up to the forked one are the past and stay what they were; of that one only what comes after the step may differ.</summary>
    private static void CheckPlan(RunPlan old, ForkRun fork)
    {
        var index = Array.FindIndex(old.Stages, s => s.Id == fork.Stage);
        if (index < 0)
            throw new InvalidOperationException($"run '{fork.FromRunId}' has no stage '{fork.Stage}'; it has {string.Join(", ", old.Stages.Select(s => s.Id))}");
        if (fork.Plan.Stages.Length <= index || !old.Stages.Take(index).Select(Trained).SequenceEqual(fork.Plan.Stages.Take(index).Select(Trained)))
            throw new InvalidOperationException($"the stages before '{fork.Stage}' are the fork's past: its recipe must leave them as they are in run '{fork.FromRunId}'");
        var (before, after) = (old.Stages[index], fork.Plan.Stages[index]);
        if ((before.Id, before.Rlp) != (after.Id, after.Rlp) || (fork.Step > 0 && (before.From, before.Staleness) != (after.From, after.Staleness)))
            throw new InvalidOperationException($"steps of stage '{fork.Stage}' are the fork's past: its kind, origin and staleness stay as they are in run '{fork.FromRunId}'");
        if (after.Steps < fork.Step)
            throw new InvalidOperationException($"stage '{fork.Stage}' has {after.Steps} steps in the fork's recipe, fewer than the {fork.Step} it takes over");
    }

    /// <summary>What of a stage's plan decided its weights.</summary>
    private static StagePlan Trained(StagePlan stage) => stage with { CheckpointEvery = 0, EvaluateEvery = 0, EvaluateProblems = 0 };

    private static bool Same(RunEnvironment left, RunEnvironment right) =>
        (left.MachineKind, left.Threads) == (right.MachineKind, right.Threads)
        && left.Versions.OrderBy(v => v.Key, StringComparer.Ordinal).SequenceEqual(right.Versions.OrderBy(v => v.Key, StringComparer.Ordinal));
}
