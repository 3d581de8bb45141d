using System.Collections.Immutable;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;

namespace Rlp.Protocol.Runs;

/// <summary>A worker's role; each has one actor per node.</summary>
public enum Role
{
    Learner,
    Ema,
    Rollout,
    Reward,
    Data,
}

/// <summary>
/// What a run entity holds and its journal does not: which engines are open, how far they are, which results of the step in work came in.
/// Lost with the process and rebuilt from the journal and a checkpoint.
/// </summary>
public sealed record Execution
{
    public const string Policy = "policy";
    public const string Teacher = "teacher";

    public static readonly Execution Nothing = new();

    /// <summary>The stage whose engines are open; null where none are.</summary>
    public string? Stage { get; init; }

    /// <summary>True where the engines are open only to be compared.</summary>
    public bool Comparing { get; init; }

    public WireCheckpoint? Checkpoint { get; init; }

    public ImmutableHashSet<Role> Open { get; init; } = [];

    /// <summary>Names this opening of the stage's engines: those of another one are opened anew wherever work of this one comes.</summary>
    public long Opening { get; init; }

    /// <summary>Where the weights are published that work of the steps in reach needs, by name and version; empty where one node does all.</summary>
    public ImmutableDictionary<(string Name, long Version), WeightTicket> Tickets { get; init; } =
        ImmutableDictionary<(string Name, long Version), WeightTicket>.Empty;

    /// <summary>True where learner or teacher stand on a node that is about to leave: a checkpoint, then the stage opens again elsewhere.</summary>
    public bool Moving { get; init; }

    /// <summary>Steps of the stage that learner and teacher hold.</summary>
    public long EngineStep { get; init; }

    /// <summary>Data that was loaded, by the cursor it begins at: at most the steps in reach and the one after them.</summary>
    public ImmutableList<DataLoaded> Data { get; init; } = [];

    /// <summary>Results of the lanes of the steps in reach: the one in work and, with staleness, those sampled ahead of it.</summary>
    public ImmutableDictionary<(long Step, int Lane), LaneCompleted> Lanes { get; init; } =
        ImmutableDictionary<(long Step, int Lane), LaneCompleted>.Empty;

    /// <summary>The learner's result of the step in work, while the teacher is not updated yet.</summary>
    public StepLearned? Learned { get; init; }

    public bool TeacherUpdated { get; init; }

    /// <summary>Checkpoints that could not be opened, by path.</summary>
    public ImmutableHashSet<string> Unusable { get; init; } = [];

    /// <summary>Why somebody asked for a stop (checkpoint and pause at the next boundary between engine calls); null where nobody did.</summary>
    public string? StopReason { get; init; }

    /// <summary>The newest version of a name that was published; null where none was.</summary>
    public WeightTicket? Newest(string name) => Tickets.Where(t => t.Key.Name == name).OrderByDescending(t => t.Key.Version).Select(t => t.Value).FirstOrDefault();

    /// <summary>With what a reply says is published now; versions that no step in reach needs are dropped.</summary>
    public Execution WithPublished(WeightTicket? published, IEnumerable<WeightTicket> older, int staleness) => published is null
        ? this
        : this with
        {
            Tickets = Tickets.SetItems(older.Append(published).Select(t => KeyValuePair.Create((t.Name, t.Version), t)))
                .RemoveRange(Tickets.Keys.Where(k => k.Name == published.Name && k.Version < published.Version - 1 - staleness)),
        };

    /// <summary>The stop that somebody asked for is for good, and needs no checkpoint.</summary>
    public bool Cancelled { get; init; }

    public DataLoaded? DataAt(WireCursor cursor) => Data.Find(d => d.From == cursor);

    /// <summary>The same, with nothing open: after an engine that others read from was lost.</summary>
    public Execution WithoutEngines() => Nothing with { Unusable = Unusable, StopReason = StopReason, Cancelled = Cancelled };
}
