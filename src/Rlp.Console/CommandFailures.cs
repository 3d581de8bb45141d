namespace Rlp.Consoles;

/// <summary>The line is no command: unknown or missing words, or a value that cannot be. Nothing was done.</summary>
public sealed class CommandNotUnderstoodException(string message) : Exception(message);

/// <summary>The command was understood and cannot be done as things are; the message says what to do.</summary>
public sealed class CommandFailedException(string message, Exception? inner = null) : Exception(message, inner);
