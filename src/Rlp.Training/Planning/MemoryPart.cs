namespace Rlp.Training.Planning;

/// <summary>One part of what a stage holds in a device's memory.</summary>
/// <param name="Name">As tables and messages call it.</param>
/// <param name="Bytes">At its largest.</param>
/// <param name="Remedy">What to set where it is too large.</param>
public sealed record MemoryPart(string Name, long Bytes, string Remedy);
