using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Consoles;

/// <summary>A committed checkpoint and what is left of it on the storage of the node that answers.</summary>
/// <param name="Bytes">Null: its folder is gone, as those of older checkpoints are.</param>
public sealed record CheckpointView(WireCheckpoint Checkpoint, long? Bytes);

/// <summary>What the journal holds of a run.</summary>
public sealed record JournalCount(string RunId, long Events, long Bytes, DateTimeOffset First, DateTimeOffset Last);

/// <summary>
/// Everything that a verb may know or do, on the node that answers. Whoever is asked over the network has a deadline and is then named as silent.
/// What cannot be done throws <see cref="CommandFailedException"/>, or another exception whose message says as much.
/// </summary>
public interface IClusterView
{
    /// <summary>The name of the node that answers.</summary>
    string Node { get; }

    DateTimeOffset Now { get; }

    /// <summary>The members as this node sees them; nobody is asked.</summary>
    IReadOnlyList<NodeView> Members { get; }

    /// <summary>The members with their leases and workers: all are asked at once.</summary>
    Task<IReadOnlyList<NodeReport>> NodesAsync(CancellationToken cancellation);

    /// <summary>The runs that the registry knows.</summary>
    Task<IReadOnlyList<RunReport>> RunsAsync(CancellationToken cancellation);

    /// <summary>One run, with its entity's own word where it is at work.</summary>
    Task<RunView> RunAsync(string runId, CancellationToken cancellation);

    /// <summary>What the journal says of a run.</summary>
    RunState State(string runId);

    /// <summary>A run's events, as they are read; empty where no such run exists.</summary>
    IEnumerable<JournaledEvent> Events(string runId);

    /// <summary>A run's events after this number, and those to come, until it is cancelled.</summary>
    IAsyncEnumerable<JournaledEvent> FollowAsync(string runId, long after, CancellationToken cancellation);

    /// <summary>The newest events of all runs and those to come, until it is cancelled.</summary>
    /// <param name="last">How many of the newest to begin with.</param>
    IAsyncEnumerable<JournaledEvent> FollowAllAsync(int last, CancellationToken cancellation);

    Task<IReadOnlyList<JournalCount>> CountJournalAsync(CancellationToken cancellation);

    Task<RunStopped> PauseAsync(string runId, CancellationToken cancellation);

    Task<RunAccepted> ResumeAsync(string runId, CancellationToken cancellation);

    Task<RunStopped> CancelAsync(string runId, CancellationToken cancellation);

    /// <summary>
    /// `rlp runs` with these words, in a process of its own beside the node: it computes with the recipe's engines, for which the node has no lease. The
    /// lines that it prints, as they come; throws with what it says on its standard error where it fails.
    /// </summary>
    IAsyncEnumerable<string> RunsCommandAsync(IReadOnlyList<string> words, CancellationToken cancellation);

    /// <summary>Committed checkpoints of a run, oldest first.</summary>
    IReadOnlyList<CheckpointView> Checkpoints(string runId);

    /// <summary>Reads every file of a checkpoint; what is wrong with it, or null.</summary>
    string? DamageOf(string runId, WireCheckpoint checkpoint);

    /// <summary>Deletes a stopped run's checkpoints but the newest of each stage, and what was never finished; says what it did.</summary>
    IReadOnlyList<string> Prune(string runId, int keep);

    /// <summary>The steps of a stage whose thoughts this node's storage holds, in their order.</summary>
    IReadOnlyList<long> ThoughtSteps(string runId, string stage);

    /// <summary>The gains of a step's thoughts, without their texts; empty where the step is not there any more.</summary>
    /// <exception cref="InvalidDataException">What is there of it is damaged; the message names the file.</exception>
    Task<IReadOnlyList<KeptGain>> GainsAsync(string runId, string stage, long step, CancellationToken cancellation);

    /// <summary>Some groups of a step with all of their thoughts; those that are not there are passed over.</summary>
    /// <exception cref="InvalidDataException">As above.</exception>
    Task<IReadOnlyList<KeptGroup>> GroupsAsync(
        string runId, string stage, long step, IReadOnlySet<int> groups, CancellationToken cancellation);

    /// <summary>Closes a worker's engines as a crash would; the runs that need them open them again.</summary>
    Task<WorkerStatus> RestartWorkerAsync(string node, Role role, CancellationToken cancellation);

    /// <summary>The node grants nothing more and its runs move learners and teachers away; false where that takes longer.</summary>
    Task<bool> DrainAsync(string node, TimeSpan within, CancellationToken cancellation);

    /// <summary>The node leaves the cluster in order.</summary>
    Task LeaveAsync(string node);

    /// <summary>The cluster goes on as if the node had died.</summary>
    Task DownAsync(string node);

    /// <summary>Has a lane's work in progress, and what comes after it, done by the workers of another node.</summary>
    /// <param name="node">Null: whichever is next.</param>
    Task<LaneReassigned> ReassignLaneAsync(string runId, int lane, string? node, CancellationToken cancellation);
}
