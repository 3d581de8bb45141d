namespace Rlp.Models.Hub;

/// <summary>A failure of the network or the server that may be gone at the next try.</summary>
internal sealed class TransientHubException(string message, Exception? inner, TimeSpan? retryAfter = null) : Exception(message, inner)
{
    /// <summary>What the server asks for.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
