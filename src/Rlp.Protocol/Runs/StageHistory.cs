using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Runs;

/// <summary>An applied step with everything that the journal holds about it.</summary>
/// <param name="Groups">By group id; empty for next-token prediction.</param>
/// <param name="Environment">Of the process that applied it.</param>
public sealed record StepHistory(
    StepPlanned Planned, IReadOnlyDictionary<int, AcceptedGroup> Groups, StepApplied Applied, RunEnvironment Environment);

/// <summary>A stage as the journal tells it: what is needed to execute any of its steps again, and what must come out.</summary>
/// <param name="StartedFrom">The final checkpoint of the stage it starts from; null: random weights or the recipe's model.</param>
/// <param name="Steps">The applied steps, the first at index 0.</param>
/// <param name="Checkpoints">Committed in the stage, oldest first; folders of older ones are pruned.</param>
public sealed record StageHistory(string Stage, WireCheckpoint? StartedFrom, IReadOnlyList<StepHistory> Steps, IReadOnlyList<WireCheckpoint> Checkpoints)
{
    /// <summary>The stages that a run has begun, in their order.</summary>
    /// <exception cref="InvalidDataException">An applied step has no plan: the journal is damaged.</exception>
    public static IReadOnlyList<StageHistory> Of(IReadOnlyList<IRunEvent> events)
    {
        var stages = new List<(StageStarted Started, List<StepHistory> Steps, List<WireCheckpoint> Checkpoints)>();
        var planned = new Dictionary<(string Stage, long Step), StepPlanned>();
        var groups = new Dictionary<(string Stage, long Step), Dictionary<int, AcceptedGroup>>();
        var environment = new RunEnvironment();
        foreach (var e in events)
            switch (e)
            {
                case RunCreated created:
                    environment = created.Environment;
                    break;
                case RunResumed resumed:
                    environment = resumed.Environment;
                    break;
                case StageStarted started:
                    stages.Add((started, [], []));
                    break;
                case StepPlanned plan:
                    planned[(plan.Stage, plan.Step)] = plan;
                    break;
                case GroupsAccepted accepted:
                    if (!groups.TryGetValue((accepted.Stage, accepted.Step), out var held))
                        groups[(accepted.Stage, accepted.Step)] = held = [];
                    foreach (var group in accepted.Groups)
                        held[group.Group] = group;
                    break;
                case StepApplied applied:
                    if (!planned.Remove((applied.Stage, applied.Step), out var itsPlan))
                        throw new InvalidDataException($"the journal applies step {applied.Step} of stage '{applied.Stage}', which it did not plan");
                    groups.Remove((applied.Stage, applied.Step), out var its);
                    stages[^1].Steps.Add(new StepHistory(itsPlan, its ?? [], applied, environment));
                    break;
                case CheckpointCommitted c:
                    stages[^1].Checkpoints.Add(new WireCheckpoint { Stage = c.Stage, Step = c.Step, Path = c.Path, Sha256 = c.Sha256 });
                    break;
            }
        return [.. stages.Select(s => new StageHistory(s.Started.Stage, s.Started.From, s.Steps, s.Checkpoints))];
    }
}
