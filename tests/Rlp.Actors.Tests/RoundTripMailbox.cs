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

    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new RoundTripQueue();

    private sealed class RoundTripQueue : UnboundedDequeMessageQueue, IMessageQueue
    {
        void IMessageQueue.Enqueue(IActorRef receiver, Envelope envelope) => Enqueue(
            receiver,
            envelope.Message is IRlpMessage message
                ? new Envelope(MessageRegistry.Deserialize(MessageRegistry.ManifestOf(message.GetType()), MessageRegistry.Serialize(message)), envelope.Sender)
                : envelope);
    }
}
