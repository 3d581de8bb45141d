using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster;
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
internal sealed class EngineCall(Role role, Member node, IEngineRequest request) : InFlight
{
    public Role Role { get; } = role;
    public Member Node { get; } = node;
    public IEngineRequest Request { get; } = request;
}

/// <summary>A lane at work.</summary>
internal sealed class LaneWork(ExecuteLane command) : InFlight
{
    private long sent = Stopwatch.GetTimestamp();

    public ExecuteLane Command { get; set; } = command;

    /// <summary>The lane entity that has begun it; null while none has said so.</summary>
    public IActorRef? Entity { get; private set; }

    /// <summary>The name of that entity's node.</summary>
    public string Node { get; private set; } = "";

    public void Began(IActorRef entity, string node) => (Entity, Node) = (entity, node);

    /// <summary>It is on its way to a lane entity, anew.</summary>
    public void Sent() => (Entity, Node, sent) = (null, "", Stopwatch.GetTimestamp());

    /// <summary>True where no lane entity has begun it for so long; another wait begins then.</summary>
    public bool IsUnanswered(TimeSpan within)
    {
        if (Entity is not null || Stopwatch.GetElapsedTime(sent) <= within)
            return false;
        sent = Stopwatch.GetTimestamp();
        return true;
    }
}
