using ProtoBuf;

namespace Rlp.Protocol.Commands;

/// <summary>Asks a node for the devices of a run; held until released or until the asking actor stops.</summary>
[ProtoContract]
public sealed record AcquireLease : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>Cores that the run's engines take in turns.</summary>
    [ProtoMember(2)] public int Cores { get; init; }

    /// <summary>Memory at its peak by part, in bytes; these add up.</summary>
    [ProtoMember(3)] public Dictionary<string, long> MemoryBytes { get; init; } = [];

    /// <summary>What to set where the largest part is too large; null: nobody said.</summary>
    [ProtoMember(4)] public string? Remedy { get; init; }
}

/// <summary>The node is about to leave: the holder of a lease brings its work to safety and returns it.</summary>
[ProtoContract]
public sealed record LeaseRevoked : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>The name of the node.</summary>
    [ProtoMember(2)] public string Node { get; init; } = "";
}

/// <summary>Grants no more leases and revokes those it has granted; answered (NodeDrained) when none is left.</summary>
[ProtoContract]
public sealed record DrainNode : IRlpMessage;

[ProtoContract]
public sealed record ReleaseLease : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
}

/// <summary>Drops a worker's queued requests of a run; the engine call in progress ends by itself and its answer is dropped.</summary>
[ProtoContract]
public sealed record CancelWork : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
}

/// <summary>Takes no new work; answered (WorkerDrained) when what is queued is done.</summary>
[ProtoContract]
public sealed record DrainWorker : IRlpMessage;

/// <summary>
/// The calls in progress fail when they end and their engines are closed: the runs open them again. Idle engines stay. Answered with
/// WorkerStatus at once.
/// </summary>
[ProtoContract]
public sealed record RestartWorker : IRlpMessage;
