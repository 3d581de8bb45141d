namespace Rlp.Models.Hub;

/// <summary>A model that could not be pulled; the message names the repository or file, what the server said and what to do.</summary>
public sealed class HubException(string message, Exception? inner = null) : IOException(message, inner);
