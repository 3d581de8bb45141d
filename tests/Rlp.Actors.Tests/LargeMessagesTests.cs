using Akka.Actor;
using Rlp.Actors.Serialization;
using Rlp.Protocol;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Payloads;

namespace Rlp.Actors.Tests;

/// <summary>A large message leaves room for heartbeats on its way, and what is sent after it stays behind it.</summary>
public sealed class LargeMessagesTests : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private TestCluster cluster = null!;
    private Inbox inbox = null!;
    private IActorRef sender = null!;

    private sealed record Send(ICanTell Receiver, params IRunMessage[] Messages);

    private sealed record Lose(Address Node);

    private sealed class Sender : ReceiveActor
    {
        public Sender()
        {
            var large = new LargeMessages(Context);
            Receive<Send>(send =>
            {
                foreach (var message in send.Messages)
                    large.Tell(send.Receiver, message);
            });
            Receive<Lose>(lose => large.Forget(lose.Node));
            Receive<PartTaken>(large.GoOn);
        }
    }

    private static ApplyRlpStep Large(long id) => new()
    {
        RunId = "r",
        RequestId = id,
        Groups = [new WireGroup { Position = new WirePosition { Prefix = new int[200_000] } }],
    };

    private static CloseEngine Small(long id) => new() { RunId = "r", RequestId = id };

    public async ValueTask InitializeAsync()
    {
        cluster = new TestCluster(folder.Path, new FakeEngines())
        {
            With = options => options with { Settings = options.Settings + "\nakka.remote.dot-netty.tcp.maximum-frame-size = 128000b" },
        };
        var node = await cluster.AddAsync("a", true);
        await cluster.AddAsync("b", false);
        inbox = Inbox.Create(node.System);
        sender = node.System.ActorOf(Props.Create(() => new Sender()));
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        folder.Dispose();
    }

    private async Task<T> NextAsync<T>() => Assert.IsType<T>(await inbox.ReceiveAsync(TimeSpan.FromSeconds(30)));

    private async Task NothingComesAsync() =>
        await Assert.ThrowsAsync<TimeoutException>(() => inbox.ReceiveAsync(TimeSpan.FromMilliseconds(300)));

    [Fact]
    public async Task Two_parts_are_on_their_way_at_a_time_and_what_follows_comes_after_them()
    {
        sender.Tell(new Send(inbox.Receiver, Small(1), Large(2), Small(3), Large(4), Small(5)));
        Assert.Equal(1, (await NextAsync<CloseEngine>()).RequestId);
        foreach (var id in (long[])[2, 4])
        {
            var whole = new MessageAssembly<string>(TimeProvider.System);
            var onTheWay = new Queue<MessagePart>([await NextAsync<MessagePart>(), await NextAsync<MessagePart>()]);
            await NothingComesAsync();
            IRunMessage? message = null;
            while (onTheWay.TryDequeue(out var part))
            {
                message = whole.Take("sender", part);
                inbox.Send(sender, new PartTaken { Id = part.Id });
                if (part.Index + 2 < part.Count)
                    onTheWay.Enqueue(await NextAsync<MessagePart>());
            }
            Assert.Equal(id, Assert.IsType<ApplyRlpStep>(message).RequestId);
            Assert.Equal(id + 1, (await NextAsync<CloseEngine>()).RequestId);
        }
    }

    [Fact]
    public async Task Nothing_waits_behind_a_message_to_a_node_that_is_lost()
    {
        var worker = cluster["a"].System.ActorSelection($"{cluster["b"].Address}/user/nobody");
        sender.Tell(new Send(worker, Large(1)));
        sender.Tell(new Send(inbox.Receiver, Small(2)));
        Assert.Equal(2, (await NextAsync<CloseEngine>()).RequestId); // nor behind one to somebody else
        sender.Tell(new Lose(cluster["b"].Address));
        cluster["b"].System.ActorOf(Props.Create(() => new Relay(inbox.Receiver)), "nobody");
        sender.Tell(new Send(worker, Small(3)));
        Assert.Equal(3, (await NextAsync<CloseEngine>()).RequestId);
    }

    private sealed class Relay : ReceiveActor
    {
        public Relay(IActorRef to) => ReceiveAny(message => to.Tell(message));
    }
}
