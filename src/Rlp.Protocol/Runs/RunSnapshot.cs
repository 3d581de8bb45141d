using System.Collections.Immutable;
using System.Security.Cryptography;
using ProtoBuf;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Runs;

/// <summary>
/// A run's state beside its journal, so that a recovery reads the events after it only. Derived: what stands in the journal decides, and a
/// snapshot that is damaged or of another version is passed over.
/// </summary>
[ProtoContract]
public sealed record RunSnapshot : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>Which message <see cref="State"/> is.</summary>
    [ProtoMember(2)] public string Manifest { get; init; } = "";
    [ProtoMember(3)] public string Sha256 { get; init; } = "";
    [ProtoMember(4)] public byte[] State { get; init; } = [];

    public static RunSnapshot Of(RunState state)
    {
        var written = SnapshotState.Of(state);
        var bytes = MessageRegistry.Serialize(written);
        return new RunSnapshot
        {
            RunId = state.RunId,
            Manifest = MessageRegistry.ManifestOf(typeof(SnapshotState)),
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            State = bytes,
        };
    }

    /// <exception cref="InvalidDataException">The state is damaged, or written by another version.</exception>
    public RunState ToState()
    {
        if (Convert.ToHexStringLower(SHA256.HashData(State)) != Sha256)
            throw new InvalidDataException($"the snapshot of run '{RunId}' is damaged: its digest does not fit");
        if (Manifest != MessageRegistry.ManifestOf(typeof(SnapshotState)))
            throw new InvalidDataException($"the snapshot of run '{RunId}' holds a '{Manifest}', which this version does not read");
        return ((SnapshotState)MessageRegistry.Deserialize(Manifest, State)).ToState();
    }
}

/// <summary><see cref="RunState"/> as it is written. Another shape gets another manifest: nothing needs old ones to be readable.</summary>
[ProtoContract]
public sealed record SnapshotState : IRlpMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public RunStatus Status { get; init; }
    [ProtoMember(3)] public string RecipeJson { get; init; } = "";
    [ProtoMember(4)] public string RecipeSha256 { get; init; } = "";
    [ProtoMember(5)] public long Seed { get; init; }
    [ProtoMember(6)] public long CreatedUnixMilliseconds { get; init; }
    [ProtoMember(7, IsRequired = true)] public RunEnvironment Environment { get; init; } = new();
    [ProtoMember(8, IsRequired = true)] public RunPlan Plan { get; init; } = new();
    [ProtoMember(9)] public SnapshotStage? Stage { get; init; }
    [ProtoMember(10)] public WireCheckpoint[] Checkpoints { get; init; } = [];
    [ProtoMember(11)] public string[] CompletedStages { get; init; } = [];
    [ProtoMember(12)] public string[] Compared { get; init; } = [];
    [ProtoMember(13)] public FailureKind FailureKind { get; init; }
    [ProtoMember(14)] public string FailureMessage { get; init; } = "";
    [ProtoMember(16)] public RunLineage? Lineage { get; init; }
    [ProtoMember(15, IsRequired = true)] public RecoveryTotals Recovery { get; init; } = new();

    internal static SnapshotState Of(RunState state) => new()
    {
        RunId = state.RunId,
        Status = state.Status,
        RecipeJson = state.RecipeJson,
        RecipeSha256 = state.RecipeSha256,
        Seed = state.Seed,
        CreatedUnixMilliseconds = state.CreatedUnixMilliseconds,
        Environment = state.Environment,
        Plan = state.Plan,
        Stage = state.Stage is { } stage ? SnapshotStage.Of(stage) : null,
        Checkpoints = [.. state.Checkpoints],
        CompletedStages = [.. state.CompletedStages.Order(StringComparer.Ordinal)],
        Compared = [.. state.Compared.Order(StringComparer.Ordinal)],
        FailureKind = state.FailureKind,
        FailureMessage = state.FailureMessage,
        Recovery = state.Recovery,
        Lineage = state.Lineage,
    };

    internal RunState ToState() => new()
    {
        RunId = RunId,
        Status = Status,
        RecipeJson = RecipeJson,
        RecipeSha256 = RecipeSha256,
        Seed = Seed,
        CreatedUnixMilliseconds = CreatedUnixMilliseconds,
        Environment = Environment,
        Plan = Plan,
        Stage = Stage?.ToState(Plan),
        Checkpoints = [.. Checkpoints],
        CompletedStages = [.. CompletedStages],
        Compared = [.. Compared],
        FailureKind = FailureKind,
        FailureMessage = FailureMessage,
        Recovery = Recovery,
        Lineage = Lineage,
    };
}

/// <summary><see cref="StageState"/> as it is written; its plan stands in the run's.</summary>
[ProtoContract]
public sealed record SnapshotStage
{
    [ProtoMember(1)] public string Id { get; init; } = "";
    [ProtoMember(2)] public WireCheckpoint? StartedFrom { get; init; }
    [ProtoMember(3, IsRequired = true)] public WireCursor Cursor { get; init; } = new();
    [ProtoMember(4)] public long StepsBefore { get; init; }
    [ProtoMember(5)] public SnapshotStep[] Steps { get; init; } = [];
    [ProtoMember(6)] public SnapshotPlannedStep[] Planned { get; init; } = [];
    [ProtoMember(7)] public long[] Evaluated { get; init; } = [];
    [ProtoMember(8, IsRequired = true)] public double Seconds { get; init; }
    [ProtoMember(9)] public bool Completed { get; init; }

    internal static SnapshotStage Of(StageState stage) => new()
    {
        Id = stage.Plan.Id,
        StartedFrom = stage.StartedFrom,
        Cursor = stage.Cursor,
        StepsBefore = stage.StepsBefore,
        Steps = [.. stage.Steps.Select(s => new SnapshotStep { Planned = s.Planned, Applied = s.Applied })],
        Planned = [.. stage.Planned.Select(p => new SnapshotPlannedStep { Plan = p.Plan, Accepted = [.. p.Accepted.Values.OrderBy(g => g.Group)] })],
        Evaluated = [.. stage.Evaluated.Order()],
        Seconds = stage.Seconds,
        Completed = stage.Completed,
    };

    internal StageState ToState(RunPlan plan) => new(
        plan.Stages.FirstOrDefault(s => s.Id == Id) ?? throw new InvalidDataException($"the snapshot stands in stage '{Id}', which its plan does not have"),
        StartedFrom,
        Cursor,
        StepsBefore,
        [.. Steps.Select(s => new JournaledStep(s.Planned, s.Applied))],
        [.. Planned.Select(p => new PlannedStep(p.Plan, p.Accepted.ToImmutableDictionary(g => g.Group)))],
        [.. Evaluated],
        Seconds,
        Completed);
}

/// <summary><see cref="JournaledStep"/> as it is written.</summary>
[ProtoContract]
public sealed record SnapshotStep
{
    [ProtoMember(1, IsRequired = true)] public StepPlanned Planned { get; init; } = new();
    [ProtoMember(2, IsRequired = true)] public StepApplied Applied { get; init; } = new();
}

/// <summary><see cref="PlannedStep"/> as it is written.</summary>
[ProtoContract]
public sealed record SnapshotPlannedStep
{
    [ProtoMember(1, IsRequired = true)] public StepPlanned Plan { get; init; } = new();
    [ProtoMember(2)] public AcceptedGroup[] Accepted { get; init; } = [];
}
