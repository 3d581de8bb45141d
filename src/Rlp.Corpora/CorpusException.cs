namespace Rlp.Corpora;

/// <summary>Data that cannot be used. The message names the file, place or corpus at fault, what was expected and what to do.</summary>
public sealed class CorpusException(string message, Exception? cause = null) : Exception(message, cause);
