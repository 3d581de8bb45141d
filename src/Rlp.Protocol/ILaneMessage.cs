namespace Rlp.Protocol;

/// <summary>A message for one lane entity; <see cref="LaneId"/> ("run id/lane") is the shard key of the region "lane".</summary>
public interface ILaneMessage : IRlpMessage
{
    string LaneId { get; }
}
