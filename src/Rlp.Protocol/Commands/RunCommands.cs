using System.ComponentModel;
using ProtoBuf;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Commands;

/// <summary>
/// Creates the run, or continues it where it stands; answered once that is journaled (RunAccepted) or with RunRefused. The sender is
/// subscribed to the run's progress by the same message: none of it comes before the subscription.
/// </summary>
[ProtoContract]
public sealed record StartRun : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string RecipeJson { get; init; } = "";
    [ProtoMember(3)] public string RecipeSha256 { get; init; } = "";
    [ProtoMember(4)] public long Seed { get; init; }
    [ProtoMember(5, IsRequired = true)] public RunPlan Plan { get; init; } = new();
    [ProtoMember(6, IsRequired = true)] public RunEnvironment Environment { get; init; } = new();
}

/// <summary>Continues a run from its journal alone; what the registry sends for a run that should be running.</summary>
[ProtoContract]
public sealed record ContinueRun : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2, IsRequired = true)] public RunEnvironment Environment { get; init; } = new();
}

/// <summary>Stops after the current engine call and a checkpoint; answered (RunStopped) when that is durable.</summary>
[ProtoContract]
public sealed record StopRun : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Reason { get; init; } = "";

    /// <summary>True: without a checkpoint, and for good.</summary>
    [ProtoMember(3)] public bool Cancel { get; init; }
}

/// <summary>The sender gets the run's progress messages until it stops; answered with RunReport.</summary>
[ProtoContract]
public sealed record SubscribeProgress : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
}

/// <summary>Samples and scores one lane's groups. Sent again for the same step it is one piece of work.</summary>
[ProtoContract]
public sealed record ExecuteLane : IRunMessage, ILaneMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public int Lane { get; init; }
    [ProtoMember(5)] public long PolicyVersion { get; init; }
    [ProtoMember(6)] public WirePosition[] Positions { get; init; } = [];

    /// <summary>Numbers the re-issues of the work: an attempt that was given up cannot fail the one that followed it.</summary>
    [ProtoMember(7)] public int Attempt { get; init; }

    /// <summary>The opening of the stage's engines that is to do the work, with what it takes to open one.</summary>
    [ProtoMember(8)] public long Opening { get; init; }
    [ProtoMember(9), DefaultValue("")] public string RecipeJson { get; init; } = "";

    /// <summary>The policy that samples and the teacher that scores; null: those published on the workers' own nodes.</summary>
    [ProtoMember(10)] public WeightTicket? Policy { get; init; }
    [ProtoMember(11)] public WeightTicket? Teacher { get; init; }

    /// <summary>The step's trace (W3C traceparent); empty: none.</summary>
    [ProtoMember(12), DefaultValue("")] public string TraceParent { get; init; } = "";

    public string LaneId => $"{RunId}/{Lane}";
}

/// <summary>
/// Has the lane's work in progress, and what comes after it, done by the workers of another node, until that is gone or the lane moves by itself;
/// answered with LaneReassigned or RunRefused.
/// </summary>
[ProtoContract]
public sealed record ReassignLane : IRunMessage, ILaneMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public int Lane { get; init; }

    /// <summary>The name of the node; empty: whichever is next.</summary>
    [ProtoMember(3)] public string Node { get; init; } = "";

    public string LaneId => $"{RunId}/{Lane}";
}

/// <summary>A lane entity has begun its work: from now on the run entity watches it.</summary>
[ProtoContract]
public sealed record LaneStarted : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long Step { get; init; }
    [ProtoMember(3)] public int Lane { get; init; }
    [ProtoMember(4)] public int Attempt { get; init; }

    /// <summary>The name of the node whose rollout worker has the work: the lane's own, if it was not reassigned.</summary>
    [ProtoMember(5)] public string Node { get; init; } = "";
}

/// <summary>A lane's scored groups, delivered to the run entity.</summary>
[ProtoContract]
public sealed record LaneCompleted : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public int Lane { get; init; }
    [ProtoMember(5)] public long PolicyVersion { get; init; }
    [ProtoMember(6)] public WireGroup[] Groups { get; init; } = [];
    [ProtoMember(7)] public double RolloutSeconds { get; init; }
    [ProtoMember(8)] public double RewardSeconds { get; init; }
}

/// <summary>A lane's work failed on its node.</summary>
[ProtoContract]
public sealed record LaneFailed : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public int Lane { get; init; }
    [ProtoMember(5)] public int Attempt { get; init; }

    /// <summary>The role whose engine failed: rollout or reward.</summary>
    [ProtoMember(6)] public string Role { get; init; } = "";
    [ProtoMember(7)] public FailureKind Kind { get; init; }
    [ProtoMember(8)] public string Message { get; init; } = "";

    /// <summary>True where the failing engine was disposed and must be opened again.</summary>
    [ProtoMember(9)] public bool EngineLost { get; init; }
}
