using ProtoBuf;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Replies;

/// <summary>The answer to one engine call.</summary>
public interface IEngineReply : IRunMessage
{
    long RequestId { get; }

    /// <summary>Wall-clock seconds of the engine call.</summary>
    double Seconds { get; }
}

/// <summary>An engine call that gives nothing back is done: open, close, update, write.</summary>
[ProtoContract]
public sealed record EngineDone : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }

    /// <summary>Of a learner or teacher that was opened or updated: its weights now. Null where the node serves no other one.</summary>
    [ProtoMember(4)] public WeightTicket? Published { get; init; }

    /// <summary>With a staleness: the versions before it that are held too, oldest first; those of a checkpoint among them.</summary>
    [ProtoMember(5)] public WeightTicket[] Older { get; init; } = [];
}

/// <summary>What a role's engine of a run holds: what a run entity needs to go on with engines that another one opened.</summary>
[ProtoContract]
public sealed record EngineDescribed : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }

    /// <summary>Empty where no engine of the run is open.</summary>
    [ProtoMember(4)] public string Stage { get; init; } = "";
    [ProtoMember(5)] public long Opening { get; init; }

    /// <summary>Of a learner its policy version, of a teacher the step of its last update; 0 else.</summary>
    [ProtoMember(6)] public long Step { get; init; }

    /// <summary>The learner's last step since it was opened; null where there is none.</summary>
    [ProtoMember(7)] public StepLearned? Learned { get; init; }

    /// <summary>As in <see cref="EngineDone"/>.</summary>
    [ProtoMember(8)] public WeightTicket? Published { get; init; }
    [ProtoMember(9)] public WeightTicket[] Older { get; init; } = [];
}

/// <summary>An engine call threw. The engine is disposed (<see cref="EngineLost"/>) unless the request never reached it, or a disk refused its checkpoint.</summary>
[ProtoContract]
public sealed record EngineFailed : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }
    [ProtoMember(4)] public string Role { get; init; } = "";
    [ProtoMember(5)] public FailureKind Kind { get; init; }
    [ProtoMember(6)] public string Message { get; init; } = "";
    [ProtoMember(7)] public bool EngineLost { get; init; }
}

[ProtoContract]
public sealed record DataLoaded : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }
    [ProtoMember(4, IsRequired = true)] public WireCursor From { get; init; } = new();
    [ProtoMember(5, IsRequired = true)] public WireCursor To { get; init; } = new();
    [ProtoMember(6)] public WireDocument[] Documents { get; init; } = [];
    [ProtoMember(7)] public WirePosition[] Positions { get; init; } = [];
}

[ProtoContract]
public sealed record ThoughtsSampled : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }

    /// <summary>In the order of the positions asked for; not scored yet.</summary>
    [ProtoMember(4)] public WireGroup[] Groups { get; init; } = [];
}

[ProtoContract]
public sealed record PositionsScored : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }

    /// <summary>S_ema of each position asked for, in nats.</summary>
    [ProtoMember(4, IsPacked = true)] public double[] TeacherEvidence { get; init; } = [];
}

[ProtoContract]
public sealed record PolicyEvaluated : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }
    [ProtoMember(4, IsRequired = true)] public WireEvaluation Result { get; init; } = new();
}

/// <summary>What the learner made of a step.</summary>
[ProtoContract]
public sealed record StepLearned : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }
    [ProtoMember(4)] public long Step { get; init; }
    [ProtoMember(5)] public long PolicyVersion { get; init; }
    [ProtoMember(6, IsRequired = true)] public double Loss { get; init; }
    [ProtoMember(7, IsRequired = true)] public double GradNorm { get; init; }
    [ProtoMember(8)] public string ParametersSha256 { get; init; } = "";
    [ProtoMember(9)] public Dictionary<string, double> Metrics { get; init; } = [];

    /// <summary>Corpus tokens that the step read.</summary>
    [ProtoMember(10)] public long InputTokens { get; init; }

    /// <summary>Floating-point operations of the step.</summary>
    [ProtoMember(11)] public double Flops { get; init; }

    /// <summary>The policy after the step. Null where the learner's node serves no other one.</summary>
    [ProtoMember(12)] public WeightTicket? Published { get; init; }
}

[ProtoContract]
public sealed record CheckpointSealed : IEngineReply
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public long RequestId { get; init; }
    [ProtoMember(3)] public double Seconds { get; init; }
    [ProtoMember(4, IsRequired = true)] public WireCheckpoint Checkpoint { get; init; } = new();
}
