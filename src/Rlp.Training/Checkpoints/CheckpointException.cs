namespace Rlp.Training.Checkpoints;

/// <summary>A checkpoint that is missing, damaged or of another run; the message names the file and what was expected.</summary>
public sealed class CheckpointException(string message, Exception? inner = null) : Exception(message, inner);
