using System.Threading.Channels;
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
    private readonly Channel<object> received = Channel.CreateUnbounded<object>();
    private TestCluster cluster = null!;
    private IActorRef receiver = null!;
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

    private sealed class Receiver : ReceiveActor
    {
        public Receiver(ChannelWriter<object> received) => ReceiveAny(message => received.TryWrite(message));
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
        var writer = received.Writer;
        receiver = node.System.ActorOf(Props.Create(() => new Receiver(writer)));
        sender = node.System.ActorOf(Props.Create(() => new Sender()));
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        folder.Dispose();
    }

    private async Task<T> NextAsync<T>()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return Assert.IsType<T>(await received.Reader.ReadAsync(limit.Token));
    }

    private async Task NothingComesAsync()
    {
        await Task.Delay(TimeSpan.FromMilliseconds(300));
        Assert.False(received.Reader.TryPeek(out var message), $"{message} came");
    }

    [Fact]
    public async Task Two_parts_are_on_their_way_at_a_time_and_what_follows_comes_after_them()
    {
        sender.Tell(new Send(receiver, Small(1), Large(2), Small(3), Large(4), Small(5)));
        Assert.Equal(1, (await NextAsync<CloseEngine>()).RequestId);
        foreach (var id in (long[])[2, 4])
        {
            var whole = new MessageAssembly<string>(TimeProvider.System);
            var onTheWay = new Queue<MessagePart>([await NextAsync<MessagePart>(), await NextAsync<MessagePart>()]);
            Assert.InRange(onTheWay.Peek().Count, 3, 100);
            await NothingComesAsync();
            IRunMessage? message = null;
            while (onTheWay.TryDequeue(out var part))
            {
                message = whole.Take("sender", part);
                sender.Tell(new PartTaken { Id = part.Id });
                if (part.Index + 2 < part.Count)
                    onTheWay.Enqueue(await NextAsync<MessagePart>());
            }
            Assert.Equal(id, Assert.IsType<ApplyRlpStep>(message).RequestId);
            Assert.Equal(id + 1, (await NextAsync<CloseEngine>()).RequestId);
        }
    }

    [Fact]
    public async Task Nothing_waits_behind_a_message_to_somebody_else_or_to_a_node_that_is_lost()
    {
        var nobody = cluster["a"].System.ActorSelection($"{cluster["b"].Address}/user/nobody");
        sender.Tell(new Send(nobody, Large(1), Small(2)));
        sender.Tell(new Send(receiver, Small(3)));
        Assert.Equal(3, (await NextAsync<CloseEngine>()).RequestId);

        var writer = received.Writer;
        cluster["b"].System.ActorOf(Props.Create(() => new Receiver(writer)), "somebody");
        var somebody = cluster["a"].System.ActorSelection($"{cluster["b"].Address}/user/somebody");
        sender.Tell(new Send(somebody, Large(4), Small(5)));
        await NextAsync<MessagePart>();
        await NextAsync<MessagePart>(); // and no more: nobody takes them
        sender.Tell(new Lose(cluster["b"].Address));
        sender.Tell(new Send(somebody, Small(6)));
        Assert.Equal(6, (await NextAsync<CloseEngine>()).RequestId);
    }
}
