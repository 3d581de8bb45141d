using Akka.Actor;
using Akka.Serialization;
using Rlp.Protocol.Serialization;

namespace Rlp.Actors.Serialization;

/// <summary>protobuf for the registered messages; nothing else is written or read.</summary>
public sealed class RlpSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    /// <summary>Stored with every journaled event: never changes.</summary>
    public const int Id = 5121;

    public override int Identifier => Id;

    public override string Manifest(object o) => MessageRegistry.ManifestOf(o.GetType());

    public override byte[] ToBinary(object obj) => MessageRegistry.Serialize(obj);

    public override object FromBinary(byte[] bytes, string manifest) => MessageRegistry.Deserialize(manifest, bytes);
}
