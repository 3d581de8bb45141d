using System.Diagnostics;
using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Rlp.Protocol;
using Rlp.Protocol.Parts;

namespace Rlp.Actors.Serialization;

/// <summary>
/// Messages of any size, from and to one actor: what remoting would drop as too large for a frame goes in parts and is taken as if it had
/// come whole. Few parts are on their way at a time, because heartbeats take the same one. A message of which a part is lost is lost; who
/// asked for it asks again.
/// </summary>
internal sealed class LargeMessages(IActorContext context)
{
    /// <summary>Sent to the actor by itself: time to look for messages whose rest does not come.</summary>
    public sealed class DropLost
    {
        public static readonly DropLost Instance = new();
    }

    /// <summary>A receiver that has not been sent all of a message, with what is to follow it.</summary>
    private sealed class Sending(ICanTell receiver)
    {
        public ICanTell Receiver { get; } = receiver;
        public Queue<MessagePart> Parts { get; set; } = [];
        public Queue<IRunMessage> Behind { get; } = [];
        public long Id { get; set; }
        public int OnTheWay { get; set; }
        public long LastAt { get; set; } = Stopwatch.GetTimestamp();
    }

    /// <summary>Parts that were sent and are not taken yet: one is written while the one before it is read.</summary>
    private const int MostOnTheWay = 2;

    private static readonly TimeSpan LostAfter = MessageAssembly<IActorRef>.LostAfter;

    private readonly IActorRef self = context.Self;
    private readonly IScheduler scheduler = context.System.Scheduler;
    private readonly Cluster cluster = Cluster.Get(context.System);
    private readonly ILoggingAdapter log = context.GetLogger();
    private readonly MessageAssembly<IActorRef> assembly = new(TimeProvider.System);
    private readonly List<Sending> sendings = [];
    private bool looking;

    /// <summary>A quarter of a frame leaves room for what a message has besides its tokens, and for Akka's envelopes.</summary>
    private readonly int partBytes =
        (int)(context.System.Settings.Config.GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size")!.Value / 4);

    /// <summary>Messages to one receiver come in the order in which they are sent by this method, whatever their size.</summary>
    public void Tell(ICanTell receiver, IRunMessage message)
    {
        var sending = sendings.Find(s => s.Receiver.Equals(receiver));
        if (sending is null)
        {
            if (!IsLarge(message))
            {
                receiver.Tell(message, self);
                return;
            }
            sendings.Add(sending = new Sending(receiver));
        }
        sending.Behind.Enqueue(message);
        Send(sending);
        LookForLost();
    }

    /// <summary>A part has come to its receiver.</summary>
    public void GoOn(PartTaken taken)
    {
        if (sendings.Find(s => s.Id == taken.Id) is not { } sending)
            return;
        sending.OnTheWay--;
        sending.LastAt = Stopwatch.GetTimestamp();
        Send(sending);
    }

    /// <summary>The message whose last part this is; null where others are to follow, or where it is refused.</summary>
    public IRunMessage? Take(MessagePart part, IActorRef sender)
    {
        sender.Tell(new PartTaken { Id = part.Id }, self);
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

    /// <summary>A node is gone: nothing waits behind what was on its way there.</summary>
    public void Forget(Address node) =>
        sendings.RemoveAll(s => s.Receiver is ActorSelection { Anchor: var anchor } && anchor.Path.Address.Equals(node));

    /// <summary>Drops what is lost.</summary>
    public void Drop()
    {
        looking = false;
        if (assembly.DropLost() is > 0 and var lost)
            log.Warning("{0} messages came in part only and are dropped; they will be asked for again", lost);
        foreach (var stuck in sendings.Where(s => Stopwatch.GetElapsedTime(s.LastAt) >= LostAfter).ToArray())
        {
            log.Warning("{0} took no part of a message for {1}; the rest is dropped, and it will be asked for again", stuck.Receiver, LostAfter);
            stuck.Parts.Clear();
            Send(stuck);
        }
        LookForLost();
    }

    private bool IsLarge(IRunMessage message) => MessageSize.AtMost(message) > partBytes && cluster.State.Members.Count > 1;

    private void Send(Sending sending)
    {
        while (true)
        {
            for (; sending.Parts.Count > 0; sending.OnTheWay++)
            {
                if (sending.OnTheWay == MostOnTheWay)
                    return;
                sending.Receiver.Tell(sending.Parts.Dequeue(), self);
            }
            if (!sending.Behind.TryDequeue(out var next))
                break;
            if (IsLarge(next))
            {
                sending.Parts = new(MessagePart.Of(next, partBytes));
                (sending.Id, sending.OnTheWay, sending.LastAt) = (sending.Parts.Peek().Id, 0, Stopwatch.GetTimestamp());
            }
            else
            {
                sending.Receiver.Tell(next, self);
            }
        }
        sendings.Remove(sending);
    }

    private void LookForLost()
    {
        if (looking || (assembly.IsEmpty && sendings.Count == 0))
            return;
        looking = true;
        scheduler.ScheduleTellOnce(LostAfter, self, DropLost.Instance, self);
    }
}
