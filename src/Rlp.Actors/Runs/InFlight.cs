using System.Diagnostics;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

/// <summary>Something that was asked for and not answered yet: knows when it is to be named as slow and when to be asked for again.</summary>
internal abstract class InFlight
{
    private long begun = Stopwatch.GetTimestamp();
    private long asked = Stopwatch.GetTimestamp();
    private bool named;

    public DateTimeOffset Since { get; } = DateTimeOffset.UtcNow;

    /// <summary>True once, when it has taken longer than this.</summary>
    public bool IsSlow(TimeSpan after)
    {
        if (named || Stopwatch.GetElapsedTime(begun) <= after)
            return false;
        return named = true;
    }

    /// <summary>True when the deadline has passed since it was asked for last; another deadline begins then.</summary>
    public bool IsOverdue(TimeSpan deadline)
    {
        if (Stopwatch.GetElapsedTime(asked) <= deadline)
            return false;
        asked = Stopwatch.GetTimestamp();
        return true;
    }

    /// <summary>Something that it waited behind is done: its own time begins now.</summary>
    public void BeginAnew() => begun = asked = Stopwatch.GetTimestamp();
}

/// <summary>An engine call without an answer.</summary>
internal sealed class EngineCall(Role role, IEngineRequest request) : InFlight
{
    public Role Role { get; } = role;
    public IEngineRequest Request { get; } = request;
}

/// <summary>A lane at work.</summary>
internal sealed class LaneWork(ExecuteLane command) : InFlight
{
    public ExecuteLane Command { get; set; } = command;
}
