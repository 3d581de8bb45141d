using ProtoBuf;

namespace Rlp.Protocol.Payloads;

/// <summary>Where a forked run comes from. Its journal up to that step is the other run's, under its own id.</summary>
[ProtoContract]
public sealed record RunLineage
{
    /// <summary>The run that executed the steps up to the fork.</summary>
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";

    /// <summary>The last step of the stage that the two runs share; 0 where the fork begins the stage anew.</summary>
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>Digest of the policy's parameters after that step; empty for step 0.</summary>
    [ProtoMember(4)] public string ParametersSha256 { get; init; } = "";
}
