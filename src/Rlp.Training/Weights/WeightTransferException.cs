namespace Rlp.Training.Weights;

/// <summary>Weights did not come, or not whole. The machine or the network is at fault, not the data: the same work may succeed elsewhere or later.</summary>
public sealed class WeightTransferException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>True where another attempt cannot help: the publisher no longer has that version, or refuses this node.</summary>
    public bool Final { get; init; }
}
