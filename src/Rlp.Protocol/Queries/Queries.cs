using ProtoBuf;

namespace Rlp.Protocol.Queries;

/// <summary>Where a run stands (RunReport); answered while engines work.</summary>
[ProtoContract]
public sealed record GetRun : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
}

/// <summary>What a worker does (WorkerStatus); answered while its engine works.</summary>
[ProtoContract]
public sealed record GetWorkerStatus : IRlpMessage;

/// <summary>The leases a node has granted (NodeStatus).</summary>
[ProtoContract]
public sealed record GetNodeStatus : IRlpMessage;

/// <summary>The runs that the registry knows (RunList).</summary>
[ProtoContract]
public sealed record ListRuns : IRlpMessage;
