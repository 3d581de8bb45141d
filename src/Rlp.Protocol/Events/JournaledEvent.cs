namespace Rlp.Protocol.Events;

/// <summary>An event as the journal holds it: its number in the run's journal, counted from 1, and when it was written.</summary>
public sealed record JournaledEvent(long Number, DateTimeOffset At, string Manifest, IRunEvent Event);
