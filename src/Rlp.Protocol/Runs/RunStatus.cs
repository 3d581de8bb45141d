namespace Rlp.Protocol.Runs;

public enum RunStatus
{
    /// <summary>No run of that id was ever created.</summary>
    Absent,

    /// <summary>Created or resumed, and not ended since; also what the journal says of a run whose process was killed.</summary>
    Running,
    Paused,
    Completed,
    Failed,
    Cancelled,
}
