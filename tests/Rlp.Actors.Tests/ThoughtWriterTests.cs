using System.Collections;
using System.Threading.Channels;
using Akka.Actor;
using Rlp.Actors.Runs;
using Rlp.Protocol.Payloads;
using Rlp.Training.Thoughts;

namespace Rlp.Actors.Tests;

/// <summary>A disk that is too slow for the steps that come.</summary>
public sealed class ThoughtWriterTests : IAsyncLifetime
{
    private static readonly WireGroup Small = new() { Thoughts = [new WireThought { Tokens = [1, 2], LogProbabilities = [-1, -2] }] };

    private readonly TemporaryFolder folder = new();
    private readonly ActorSystem system = ActorSystem.Create("thoughts");
    private readonly ManualResetEventSlim disk = new();
    private readonly Channel<string> notices = Channel.CreateUnbounded<string>();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        disk.Set();
        await system.Terminate();
        folder.Dispose();
    }

    private sealed class Parent : ReceiveActor
    {
        public Parent(ThoughtFolder thoughts, ChannelWriter<string> notices)
        {
            var writer = Context.ActorOf(Props.Create(() => new ThoughtWriterActor(thoughts, long.MaxValue)));
            Receive<ThoughtWriterActor.NotKept>(lost => notices.TryWrite(lost.Message));
            Receive<ThoughtWriterActor.Write>(writer.Forward);
            Receive<string>(_ => writer.Tell(new Identify(0), Sender)); // answered once all before it is taken
        }
    }

    /// <summary>Its writer waits for the disk.</summary>
    private sealed class Gated(WireGroup group, ManualResetEventSlim disk) : IReadOnlyList<WireGroup>
    {
        private bool counted;

        public int Count => 1;

        public WireGroup this[int index] => group;

        public IEnumerator<WireGroup> GetEnumerator()
        {
            if (counted) disk.Wait();
            counted = true;
            yield return group;
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private IActorRef Open() => system.ActorOf(Props.Create(() => new Parent(new ThoughtFolder(folder.Path), notices.Writer)));

    private IReadOnlyList<long> Kept => new ThoughtFolder(folder.Path).Steps("rlp");

    private void Send(IActorRef writer, long steps, WireGroup group)
    {
        for (var step = 1L; step <= steps; step++)
            writer.Tell(new ThoughtWriterActor.Write("rlp", step, new Gated(group, disk)));
    }

    [Fact]
    public async Task Of_large_steps_two_wait_and_what_comes_after_them_is_left_out_with_one_notice()
    {
        var large = Small with { Position = new WirePosition { Prefix = new int[1 << 21] } };
        var writer = Open();
        Send(writer, 6, large);
        var notice = await notices.Reader.ReadAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("the thoughts of step 4 are not kept: ", notice);
        disk.Set();
        await TestNode.EventuallyAsync(() => Task.FromResult(Kept.Count == 3), "the steps that waited are kept");
        writer.Tell(new ThoughtWriterActor.Write("rlp", 7, [Small]));
        await TestNode.EventuallyAsync(() => Task.FromResult(Kept.Count == 4), "a later step is kept");
        Assert.Equal([1L, 2L, 3L, 7L], Kept);
        Assert.False(notices.Reader.TryRead(out _));
    }

    [Fact]
    public async Task Small_steps_come_in_any_number_and_none_is_lost_by_an_end()
    {
        var writer = Open();
        Send(writer, 20, Small);
        await writer.Ask<ActorIdentity>("taken?", TimeSpan.FromSeconds(60));
        var ended = writer.GracefulStop(TimeSpan.FromSeconds(60));
        disk.Set();
        Assert.True(await ended);
        Assert.Equal(Enumerable.Range(1, 20).Select(s => (long)s), Kept);
        Assert.False(notices.Reader.TryRead(out _));
    }
}
