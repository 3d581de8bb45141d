using ProtoBuf;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Replies;

/// <summary>What a subscriber of a run is told while it runs.</summary>
public interface IRunProgress : IRunMessage;

/// <summary>A stage's engines are open.</summary>
[ProtoContract]
public sealed record StageOpened : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";

    /// <summary>Steps that the opened checkpoint holds.</summary>
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public long Steps { get; init; }

    /// <summary>Steps after the checkpoint that the journal holds and that are now re-executed.</summary>
    [ProtoMember(5)] public long Replaying { get; init; }

    /// <summary>Null where the stage starts from random weights.</summary>
    [ProtoMember(6)] public WireCheckpoint? Checkpoint { get; init; }
}

/// <summary>Wall-clock seconds of a step's phases.</summary>
[ProtoContract]
public sealed record StepTimings
{
    /// <summary>Time spent waiting for data that was not prefetched in time.</summary>
    [ProtoMember(1)] public double Data { get; init; }
    [ProtoMember(2)] public double Rollout { get; init; }
    [ProtoMember(3)] public double Reward { get; init; }
    [ProtoMember(4)] public double Learn { get; init; }
    [ProtoMember(5)] public double Ema { get; init; }

    /// <summary>From handing events to the journal to their being durable.</summary>
    [ProtoMember(6)] public double Journal { get; init; }
    [ProtoMember(7)] public double Total { get; init; }
}

[ProtoContract]
public sealed record StepProgress : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2, IsRequired = true)] public StepApplied Applied { get; init; } = new();

    /// <summary>True where the step was journaled before and has now been reproduced.</summary>
    [ProtoMember(3)] public bool Replayed { get; init; }
    [ProtoMember(4, IsRequired = true)] public StepTimings Timings { get; init; } = new();
    [ProtoMember(5)] public long Steps { get; init; }

    /// <summary>The run's recovery/* figures; empty where nothing was ever lost.</summary>
    [ProtoMember(6)] public Dictionary<string, double> Recovery { get; init; } = [];
}

[ProtoContract]
public sealed record CheckpointProgress : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2, IsRequired = true)] public CheckpointCommitted Committed { get; init; } = new();
    [ProtoMember(3)] public double Seconds { get; init; }
}

[ProtoContract]
public sealed record EvaluationProgress : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2, IsRequired = true)] public StageEvaluated Evaluated { get; init; } = new();
    [ProtoMember(3)] public double Seconds { get; init; }
}

[ProtoContract]
public sealed record StageProgress : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2, IsRequired = true)] public StageCompleted Completed { get; init; } = new();
}

/// <summary>Something a person should know that does not end the run: a restart, a fallback, a late answer.</summary>
[ProtoContract]
public sealed record RunNotice : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Message { get; init; } = "";
}

/// <summary>The last progress message: the run is completed, paused or failed.</summary>
[ProtoContract]
public sealed record RunEnded : IRunProgress
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public RunStatus Status { get; init; }
    [ProtoMember(3)] public FailureKind Kind { get; init; }
    [ProtoMember(4)] public string Message { get; init; } = "";
}
