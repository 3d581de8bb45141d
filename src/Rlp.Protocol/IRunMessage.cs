namespace Rlp.Protocol;

/// <summary>A message of one run; the run id is the shard key of the region "run".</summary>
public interface IRunMessage : IRlpMessage
{
    string RunId { get; }
}
