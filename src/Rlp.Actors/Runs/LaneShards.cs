using System.Globalization;
using Akka.Cluster.Sharding;
using Akka.Util;
using Rlp.Protocol;

namespace Rlp.Actors.Runs;

/// <summary>
/// A run's lanes in consecutive shards, so that nodes with equally many shards have equally many lanes: by a hash of their ids four lanes came to
/// stand 3 + 1 on two nodes.
/// </summary>
internal sealed class LaneShards(int shards) : HashCodeMessageExtractor(shards)
{
    public override string? EntityId(object message) => (message as ILaneMessage)?.LaneId;

    public override string ShardId(string entityId, object? messageHint = null)
    {
        var end = entityId.LastIndexOf('/');
        var first = (uint)MurmurHash.StringHash(entityId[..end]);
        return ((first + ulong.Parse(entityId[(end + 1)..], CultureInfo.InvariantCulture)) % (ulong)MaxNumberOfShards).ToString(CultureInfo.InvariantCulture);
    }
}
