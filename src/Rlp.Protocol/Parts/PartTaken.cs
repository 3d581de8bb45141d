using ProtoBuf;

namespace Rlp.Protocol.Parts;

/// <summary>A part has come to its receiver, who has taken or refused it: the next one may follow.</summary>
[ProtoContract]
public sealed record PartTaken : IRlpMessage
{
    /// <summary>Of the message, see <see cref="MessagePart.Id"/>.</summary>
    [ProtoMember(1)] public long Id { get; init; }
}
