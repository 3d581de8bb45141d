using System.ComponentModel;
using ProtoBuf;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Commands;

/// <summary>One synchronous engine call of a worker. The request id names the call in its answer; the same id may arrive twice.</summary>
public interface IEngineRequest : IRunMessage
{
    long RequestId { get; }

    /// <summary>The step's trace that the call belongs to (W3C traceparent); empty: none.</summary>
    string TraceParent => "";
}

/// <summary>
/// Opens a role's engine for a stage of a run, in place of the one it may have open; nothing is done where the same opening is open already.
/// </summary>
[ProtoContract]
public sealed record OpenEngine : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public string Stage { get; init; } = "";
    [ProtoMember(4)] public string RecipeJson { get; init; } = "";
    [ProtoMember(5)] public WireCheckpoint? Checkpoint { get; init; }

    /// <summary>For the ema role: the policy that the teacher starts from. Null: the one published on the worker's own node.</summary>
    [ProtoMember(6)] public WeightTicket? Policy { get; init; }

    /// <summary>Names one opening of the stage's engines, on whatever nodes they stand; 0 is always a new one.</summary>
    [ProtoMember(7)] public long Opening { get; init; }
}

/// <summary>Asks what a role's engine of the run holds (EngineDescribed), after the call that it is at.</summary>
[ProtoContract]
public sealed record DescribeEngine : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
}

[ProtoContract]
public sealed record CloseEngine : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
}

[ProtoContract]
public sealed record LoadData : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3, IsRequired = true)] public WireCursor From { get; init; } = new();
}

[ProtoContract]
public sealed record SampleThoughts : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public WirePosition[] Positions { get; init; } = [];

    /// <summary>Optimizer steps in the policy that is to sample.</summary>
    [ProtoMember(5)] public long PolicyVersion { get; init; }

    /// <summary>The policy of that version; null: the one published on the worker's own node.</summary>
    [ProtoMember(6)] public WeightTicket? Policy { get; init; }

    [ProtoMember(7), DefaultValue("")] public string TraceParent { get; init; } = "";
}

[ProtoContract]
public sealed record EvaluatePolicy : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public int Problems { get; init; }

    /// <summary>The policy to evaluate; null: the newest published on the worker's own node.</summary>
    [ProtoMember(4)] public WeightTicket? Policy { get; init; }
}

[ProtoContract]
public sealed record ScorePositions : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public WirePosition[] Positions { get; init; } = [];

    /// <summary>Optimizer steps in the teacher that is to score.</summary>
    [ProtoMember(5)] public long PolicyVersion { get; init; }

    /// <summary>The teacher of that version; null: the one published on the worker's own node.</summary>
    [ProtoMember(6)] public WeightTicket? Teacher { get; init; }

    [ProtoMember(7), DefaultValue("")] public string TraceParent { get; init; } = "";
}

[ProtoContract]
public sealed record ApplyNtpStep : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public WireDocument[] Documents { get; init; } = [];

    [ProtoMember(5), DefaultValue("")] public string TraceParent { get; init; } = "";
}

[ProtoContract]
public sealed record ApplyRlpStep : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>In the order of the group ids.</summary>
    [ProtoMember(4)] public WireGroup[] Groups { get; init; } = [];

    [ProtoMember(5), DefaultValue("")] public string TraceParent { get; init; } = "";
}

[ProtoContract]
public sealed record UpdateTeacher : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>The policy to follow; null: the newest published on the worker's own node.</summary>
    [ProtoMember(4)] public WeightTicket? Policy { get; init; }

    [ProtoMember(5), DefaultValue("")] public string TraceParent { get; init; } = "";
}

/// <summary>Writes the role's part (policy or teacher) of a checkpoint into the folder that is being made.</summary>
[ProtoContract]
public sealed record WriteCheckpoint : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public string Folder { get; init; } = "";
}

[ProtoContract]
public sealed record SealCheckpoint : IEngineRequest
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public string Folder { get; init; } = "";
    [ProtoMember(4)] public long Step { get; init; }
    [ProtoMember(5, IsRequired = true)] public WireCursor Cursor { get; init; } = new();
}
