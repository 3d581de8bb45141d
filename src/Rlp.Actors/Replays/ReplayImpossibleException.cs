namespace Rlp.Actors.Replays;

/// <summary>Steps of a run cannot be executed again here; the message says what is missing and what to do.</summary>
public sealed class ReplayImpossibleException(string message, Exception? inner = null) : Exception(message, inner);
