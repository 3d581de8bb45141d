using System.ComponentModel;
using ProtoBuf;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Replies;

/// <summary>The run is created or continues: journaled.</summary>
[ProtoContract]
public sealed record RunAccepted : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>True where the run existed and goes on.</summary>
    [ProtoMember(2)] public bool Resumed { get; init; }

    /// <summary>True where the run is complete and nothing will be done.</summary>
    [ProtoMember(3)] public bool AlreadyComplete { get; init; }
}

/// <summary>The command changed nothing; the message says what is at fault and what to do.</summary>
[ProtoContract]
public sealed record RunRefused : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public FailureKind Kind { get; init; }
    [ProtoMember(3)] public string Message { get; init; } = "";
}

/// <summary>The run stands still, durably.</summary>
[ProtoContract]
public sealed record RunStopped : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public RunStatus Status { get; init; }

    /// <summary>The newest checkpoint, from which the run will continue; null where none was due yet.</summary>
    [ProtoMember(3)] public WireCheckpoint? Checkpoint { get; init; }
}

/// <summary>Where a run stands.</summary>
[ProtoContract]
public sealed record RunReport : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public RunStatus Status { get; init; }
    [ProtoMember(3)] public string Stage { get; init; } = "";
    [ProtoMember(4)] public long Step { get; init; }
    [ProtoMember(5)] public long Steps { get; init; }

    /// <summary>What is in progress (engine call and since when), for people.</summary>
    [ProtoMember(6)] public string Doing { get; init; } = "";

    /// <summary>Lane results that arrived a second time and were dropped, since this entity started.</summary>
    [ProtoMember(7)] public long Duplicates { get; init; }

    /// <summary>Lane results that were refused (of another step, of unknown groups), since this entity started.</summary>
    [ProtoMember(8)] public long Refused { get; init; }
    [ProtoMember(9)] public FailureKind FailureKind { get; init; }
    [ProtoMember(10)] public string FailureMessage { get; init; } = "";
    [ProtoMember(11)] public string RecipeSha256 { get; init; } = "";

    /// <summary>The node that the run entity stands on; empty where it is not known.</summary>
    [ProtoMember(12), DefaultValue("")] public string Node { get; init; } = "";
    [ProtoMember(13)] public WorkerSeat[] Workers { get; init; } = [];

    /// <summary>What the journal alone says.</summary>
    public static RunReport Of(string runId, RunState state) => new()
    {
        RunId = runId,
        Status = state.Status,
        Stage = state.Stage?.Plan.Id ?? "",
        Step = state.Stage?.Applied ?? 0,
        Steps = state.Stage?.Plan.Steps ?? 0,
        FailureKind = state.FailureKind,
        FailureMessage = state.FailureMessage,
        RecipeSha256 = state.RecipeSha256,
    };
}

/// <summary>Where one of a run's workers stands.</summary>
[ProtoContract]
public sealed record WorkerSeat
{
    /// <summary>learner, ema, data, rollout, reward or lane.</summary>
    [ProtoMember(1)] public string Role { get; init; } = "";

    /// <summary>The number of a lane at work.</summary>
    [ProtoMember(2)] public int Lane { get; init; }
    [ProtoMember(3)] public string Node { get; init; } = "";
}

/// <summary>A lane's work is done elsewhere from now on.</summary>
[ProtoContract]
public sealed record LaneReassigned : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public int Lane { get; init; }

    /// <summary>Names of the nodes.</summary>
    [ProtoMember(3)] public string From { get; init; } = "";
    [ProtoMember(4)] public string To { get; init; } = "";
}

/// <summary>The runs that the registry knows.</summary>
[ProtoContract]
public sealed record RunList : IRlpMessage
{
    [ProtoMember(1)] public RunReport[] Runs { get; init; } = [];
}
