namespace Rlp.Training.Weights;

/// <summary>How weights come from the node that published them to the one that reads them.</summary>
public interface IWeightChannel
{
    /// <summary>This node's address, for messages to people.</summary>
    string Node { get; }

    /// <summary>Where other nodes get a version that this node publishes.</summary>
    string UrlOf(string runId, string name, long version);

    /// <summary>The bytes behind a reference, from the first one on; the caller reads them once and disposes the stream.</summary>
    /// <exception cref="WeightTransferException">The publisher cannot be reached or gives nothing.</exception>
    Task<Stream> OpenAsync(WeightReference reference, CancellationToken cancellation);
}
