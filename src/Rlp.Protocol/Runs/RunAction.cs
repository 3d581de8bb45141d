using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Runs;

/// <summary>What a run does next.</summary>
public abstract record RunAction
{
    private RunAction() { }

    /// <summary>Nothing, until something arrives or for good.</summary>
    public sealed record Wait : RunAction;

    /// <summary>Journal these events; what follows is decided again after that.</summary>
    public sealed record Journal(params IReadOnlyList<IRunEvent> Events) : RunAction;

    /// <summary>Close whatever is open and begin to open this stage's engines from the checkpoint (null: random weights).</summary>
    public sealed record SwitchEngines(string Stage, WireCheckpoint? Checkpoint, bool Comparing) : RunAction;

    /// <summary>Open one role's engine.</summary>
    public sealed record Open(Role Role) : RunAction;

    public sealed record Load(WireCursor From) : RunAction;

    /// <summary>Read the stage's steps from the journal again: a replay begins before those that the state keeps.</summary>
    public sealed record RecallSteps(string Stage) : RunAction;

    /// <summary>Have these lanes of a step sampled and scored.</summary>
    public sealed record ExecuteLanes(StepPlanned Step, IReadOnlyList<LanePlan> Lanes) : RunAction;

    public sealed record Learn(StepPlanned Step) : RunAction;

    public sealed record UpdateTeacher(long Step) : RunAction;

    /// <summary>The step in work is done: see <see cref="RunDecisions.Finish"/>.</summary>
    public sealed record FinishStep(StepPlanned Step) : RunAction;

    public sealed record CommitCheckpoint(long Step, WireCursor Cursor) : RunAction;

    /// <summary>Name is the stage's id or the comparison row's name.</summary>
    public sealed record Evaluate(string Name, long Step, int Problems, bool Compared) : RunAction;

    /// <summary>No checkpoint of a stage that another starts from can be opened.</summary>
    public sealed record GiveUp(FailureKind Kind, string Message) : RunAction;
}
