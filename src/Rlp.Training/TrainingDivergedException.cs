namespace Rlp.Training;

/// <summary>A loss or gradient that is not finite: going on would spoil the weights.</summary>
public sealed class TrainingDivergedException(string message) : Exception(message);
