using ProtoBuf;
using Rlp.Protocol.Serialization;

namespace Rlp.Protocol.Parts;

/// <summary>
/// A part of a message that is too large to be sent as one. The parts of a message have its keys, so that they go where it would go, and
/// come in their order or not at all.
/// </summary>
[ProtoContract]
public sealed record MessagePart : IRunMessage, ILaneMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>Empty where the message is not for a lane.</summary>
    [ProtoMember(2)] public string LaneId { get; init; } = "";

    /// <summary>Names the message among those of its sender; one that is sent again has another.</summary>
    [ProtoMember(3)] public long Id { get; init; }

    /// <summary>From 0.</summary>
    [ProtoMember(4)] public int Index { get; init; }
    [ProtoMember(5)] public int Count { get; init; }

    /// <summary>Of the message, as in <see cref="MessageRegistry"/>.</summary>
    [ProtoMember(6)] public string Manifest { get; init; } = "";

    /// <summary>The message's own bytes from where the part before this one ends.</summary>
    [ProtoMember(7)] public byte[] Bytes { get; init; } = [];

    /// <summary>The message as parts of that many bytes; the last one has what is left.</summary>
    public static IEnumerable<MessagePart> Of(IRunMessage message, int bytes)
    {
        var all = MessageRegistry.Serialize(message);
        var first = new MessagePart
        {
            RunId = message.RunId,
            LaneId = (message as ILaneMessage)?.LaneId ?? "",
            Id = Random.Shared.NextInt64(),
            Count = (all.Length + bytes - 1) / bytes,
            Manifest = MessageRegistry.ManifestOf(message.GetType()),
        };
        return Enumerable.Range(0, first.Count)
            .Select(index => first with { Index = index, Bytes = all[(index * bytes)..Math.Min((index + 1) * bytes, all.Length)] });
    }
}
