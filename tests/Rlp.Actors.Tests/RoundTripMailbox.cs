using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;
using Rlp.Protocol;
using Rlp.Protocol.Serialization;

namespace Rlp.Actors.Tests;

/// <summary>
/// A mailbox that sends every message of ours through its bytes, also where it stays in the process. (akka.actor.serialize-messages does
/// that to Akka's own messages too, and strict serialization refuses those.)
/// </summary>
public sealed class RoundTripMailbox(Settings settings, Config config) : MailboxType(settings, config), IProducesMessageQueue<UnboundedDequeMessageQueue>
{
    public static readonly string Hocon = $$"""
        akka.actor.default-mailbox.mailbox-type = "{{typeof(RoundTripMailbox).AssemblyQualifiedName}}"
        akka.actor.mailbox.unbounded-deque-based.mailbox-type = "{{typeof(RoundTripMailbox).AssemblyQualifiedName}}"
        """;

    private static readonly ConditionalWeakTable<ActorSystem, ConcurrentDictionary<(string Receiver, Type Message), int>> Seen = [];

    /// <summary>The paths of a system's actors with the types of the messages that went through their bytes on the way to them.</summary>
    public static ICollection<(string Receiver, Type Message)> SeenBy(ActorSystem system) => Seen.GetOrCreateValue(system).Keys;

    /// <summary>Messages for which this is true never come. Asked on many threads.</summary>
    public static void Lose(ActorSystem system, Func<IRlpMessage, bool> lost) => Lost.AddOrUpdate(system, lost);

    private static readonly ConditionalWeakTable<ActorSystem, Func<IRlpMessage, bool>> Lost = [];

    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new RoundTripQueue(system, Seen.GetOrCreateValue(system));

    private sealed class RoundTripQueue(ActorSystem system, ConcurrentDictionary<(string Receiver, Type Message), int> seen) : UnboundedDequeMessageQueue, IMessageQueue
    {
        void IMessageQueue.Enqueue(IActorRef receiver, Envelope envelope)
        {
            if (envelope.Message is not IRlpMessage message)
                Enqueue(receiver, envelope);
            else if (!(Lost.TryGetValue(system, out var lost) && lost(message)))
                Enqueue(receiver, Copy(receiver, message, envelope.Sender));
        }

        private Envelope Copy(IActorRef receiver, IRlpMessage message, IActorRef sender)
        {
            seen.TryAdd((receiver.Path.ToStringWithoutAddress(), message.GetType()), 0);
            return new Envelope(MessageRegistry.Deserialize(MessageRegistry.ManifestOf(message.GetType()), MessageRegistry.Serialize(message)), sender);
        }
    }
}
