namespace Rlp.Models;

/// <summary>A model file (configuration, weights, tokenizer) that cannot be used; the message names the file, the part and what was expected.</summary>
public sealed class ModelFormatException(string message, Exception? inner = null) : Exception(message, inner);
