using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Rlp.Protocol;
using Rlp.Protocol.Parts;

namespace Rlp.Actors.Serialization;

/// <summary>
/// Messages of any size, from and to one actor: what remoting would drop as too large for a frame goes in parts and is taken as if it had come
/// whole. A message of which a part is lost is lost; who asked for it asks again.
/// </summary>
internal sealed class LargeMessages(IActorContext context)
{
    /// <summary>Sent to the actor by itself: time to look for messages whose rest does not come.</summary>
    public sealed class DropLost
    {
        public static readonly DropLost Instance = new();
    }

    private readonly IActorRef self = context.Self;
    private readonly IScheduler scheduler = context.System.Scheduler;
    private readonly Cluster cluster = Cluster.Get(context.System);
    private readonly ILoggingAdapter log = context.GetLogger();
    private readonly MessageAssembly<IActorRef> assembly = new(TimeProvider.System);
    private bool looking;

    /// <summary>A quarter of a frame leaves room for what a message has besides its tokens, and for Akka's envelopes.</summary>
    private readonly int partBytes = (int)(context.System.Settings.Config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size")!.Value / 4);

    public void Tell(ICanTell receiver, IRunMessage message)
    {
        if (cluster.State.Members.Count == 1 || MessageSize.AtMost(message) <= partBytes)
        {
            receiver.Tell(message, self);
            return;
        }
        foreach (var part in MessagePart.Of(message, partBytes))
            receiver.Tell(part, self);
    }

    /// <summary>The message whose last part this is; null where others are to follow, or where it is refused.</summary>
    public IRunMessage? Take(MessagePart part, IActorRef sender)
    {
        try
        {
            return assembly.Take(sender, part);
        }
        catch (InvalidDataException e)
        {
            log.Warning("{0}", e.Message);
            return null;
        }
        finally
        {
            LookForLost();
        }
    }

    /// <summary>Drops what is lost.</summary>
    public void Drop()
    {
        looking = false;
        if (assembly.DropLost() is > 0 and var lost)
            log.Warning("{0} messages came in part only and are dropped; they will be asked for again", lost);
        LookForLost();
    }

    private void LookForLost()
    {
        if (looking || assembly.IsEmpty)
            return;
        looking = true;
        scheduler.ScheduleTellOnce(MessageAssembly<IActorRef>.LostAfter, self, DropLost.Instance, self);
    }
}
