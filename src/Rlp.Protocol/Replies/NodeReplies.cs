using System.ComponentModel;
using ProtoBuf;

namespace Rlp.Protocol.Replies;

[ProtoContract]
public sealed record LeaseGranted : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Device { get; init; } = "";
    [ProtoMember(3)] public int Cores { get; init; }
    [ProtoMember(4)] public long MemoryBytes { get; init; }
}

/// <summary>The node has not what was asked for; the message names what is short and who holds it.</summary>
[ProtoContract]
public sealed record LeaseRefused : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Message { get; init; } = "";
}

[ProtoContract]
public sealed record WorkerStatus : IRlpMessage
{
    /// <summary>data, rollout, reward, learner or ema.</summary>
    [ProtoMember(1)] public string Role { get; init; } = "";

    /// <summary>idle, working, draining or restarting.</summary>
    [ProtoMember(2)] public string State { get; init; } = "";

    /// <summary>The engine call in progress and its run; empty when idle.</summary>
    [ProtoMember(3)] public string What { get; init; } = "";

    /// <summary>When the call in progress, or the idle time, began.</summary>
    [ProtoMember(4)] public long SinceUnixMilliseconds { get; init; }

    /// <summary>Engine calls done since the worker started.</summary>
    [ProtoMember(5)] public long Done { get; init; }
    [ProtoMember(6)] public int Queued { get; init; }
}

[ProtoContract]
public sealed record WorkerDrained : IRlpMessage
{
    [ProtoMember(1)] public string Role { get; init; } = "";
}

[ProtoContract]
public sealed record NodeDrained : IRlpMessage;

[ProtoContract]
public sealed record NodeStatus : IRlpMessage
{
    [ProtoMember(1)] public LeaseGranted[] Leases { get; init; } = [];
    [ProtoMember(2)] public int Cores { get; init; }
    [ProtoMember(3)] public long MemoryBytes { get; init; }
    [ProtoMember(4), DefaultValue("")] public string Device { get; init; } = "";

    /// <summary>True: it grants nothing more.</summary>
    [ProtoMember(5)] public bool Draining { get; init; }
}
