using Rlp.Models;
using Rlp.Training.Weights;
using static TorchSharp.torch;

namespace Rlp.Training.Tests.Weights;

/// <summary>Weights of another node come whole or not at all, and once however many ask.</summary>
public sealed class FetchedWeightsTests : IDisposable
{
    private const long Elements = 700_000; // 2.8 MB: several pieces, the last one not full

    private readonly LoopbackChannel channel = new();
    private readonly NodeWeights owner;
    private readonly NodeWeights node;
    private readonly ArenaLayout layout = new();
    private readonly ParameterArena live;
    private readonly List<IDisposable> owned = [];

    public FetchedWeightsTests()
    {
        owner = new NodeWeights(channel);
        node = new NodeWeights(channel, new WeightTransferSettings { Attempts = 3, Backoff = TimeSpan.FromMilliseconds(1), StallTimeout = TimeSpan.FromMilliseconds(300) });
        channel.Owner = _ => owner;
        layout.AddMatrix("matrix", 100, ("matrix", Elements / 100));
        live = new ParameterArena(layout, trainable: false);
    }

    public void Dispose()
    {
        foreach (var one in owned) one.Dispose();
        live.Dispose();
    }

    /// <summary>The versions from 0 to <paramref name="last"/>, each of other weights; only the last are held.</summary>
    private PublishedWeights Publish(int staleness, int last)
    {
        var published = new PublishedWeights(live, staleness, served: true);
        owned.Add(published);
        owner.Publish("r", "policy", published);
        for (var version = 0; version <= last; version++) Next(published, version);
        return published;
    }

    private void Next(PublishedWeights published, int version)
    {
        published.Change();
        live.Initialize(version + 1, range: 1);
        published.Take(version);
    }

    private WeightReader Reader(int versions) => node.Reader("r", "policy", layout, ScalarType.Float32, versions);

    private WeightReference Newest() => owner.References("r", "policy")[^1];

    [Fact]
    public void Weights_arrive_with_their_bits()
    {
        Publish(staleness: 0, last: 0);
        using var reader = Reader(1);
        using var read = reader.Read(0, Newest());
        Assert.NotSame(live, read.Arena);
        Assert.Equal(live.Sha256(), read.Arena.Sha256());
    }

    [Fact]
    public void Where_the_owner_is_on_the_node_its_own_arena_is_read_and_nothing_is_sent()
    {
        Publish(staleness: 0, last: 0);
        using var reader = owner.Reader("r", "policy", layout, ScalarType.Float32, 1);
        using var withoutReference = reader.Read(0, null);
        using var withReference = reader.Read(0, Newest());
        Assert.Same(live, withoutReference.Arena);
        Assert.Same(live, withReference.Arena);
        Assert.Equal(0, channel.Opened);
    }

    [Fact]
    public async Task Eight_engines_that_ask_at_once_share_one_transfer()
    {
        Publish(staleness: 0, last: 0);
        using var all = new Barrier(8);
        channel.Way = (_, stream) =>
        {
            Thread.Sleep(100); // the other seven are waiting by now
            return stream;
        };
        var reference = Newest();
        var engines = Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                using var reader = Reader(1);
                all.SignalAndWait();
                using var read = reader.Read(0, reference);
                var sha256 = read.Arena.Sha256();
                all.SignalAndWait(); // while all of them read
                return sha256;
            },
            TaskCreationOptions.LongRunning));
        Assert.Equal(live.Sha256(), Assert.Single((await Task.WhenAll(engines)).Distinct()));
        Assert.Equal(1, channel.Opened);
    }

    [Theory]
    [InlineData("damaged")]
    [InlineData("cut")]
    [InlineData("short")]
    [InlineData("long")]
    [InlineData("stalled")]
    public void What_goes_wrong_on_the_way_once_is_tried_again(string harm)
    {
        Publish(staleness: 0, last: 0);
        channel.Way = (n, stream) => n == 1 ? Harm(harm, stream) : stream;
        using var reader = Reader(1);
        using var read = reader.Read(0, Newest());
        Assert.Equal(live.Sha256(), read.Arena.Sha256());
        Assert.Equal(2, channel.Opened);
    }

    [Theory]
    [InlineData("damaged", "expected SHA-256 ")]
    [InlineData("cut", "cut off after 1048576 of 2800000 bytes: the line is dead")]
    [InlineData("short", "expected 2800000 bytes, found 1048576")]
    [InlineData("long", "more than the expected 2800000 bytes came")]
    [InlineData("stalled", "nothing came for 00:00:00.3000000 after 0 of 2800000 bytes")]
    public void What_goes_wrong_every_time_is_named_with_the_address_and_no_version_becomes_visible(string harm, string message)
    {
        Publish(staleness: 0, last: 0);
        channel.Way = (_, stream) => Harm(harm, stream);
        using var reader = Reader(1);
        var failure = Assert.Throws<WeightTransferException>(() => reader.Read(0, Newest()));
        Assert.Contains("policy 0 of run 'r' from loopback://r/policy/0", failure.Message);
        Assert.Contains(message, failure.Message);
        Assert.Contains("attempt 3 of 3", failure.Message);
        Assert.Equal(3, channel.Opened);
        if (harm == "damaged") Assert.Contains($"{live.Sha256()}, found ", failure.Message);

        channel.Way = (_, stream) => stream; // and the arena is not lost to later attempts
        using var read = reader.Read(0, Newest());
        Assert.Equal(live.Sha256(), read.Arena.Sha256());
    }

    [Fact]
    public async Task Those_who_wait_for_a_transfer_share_its_failure()
    {
        Publish(staleness: 0, last: 0);
        var reference = Newest();
        channel.Way = (_, stream) =>
        {
            Thread.Sleep(100);
            return Harm("damaged", stream);
        };
        using var all = new Barrier(4);
        var failures = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
            () =>
            {
                using var reader = Reader(1);
                all.SignalAndWait();
                var failure = Assert.Throws<WeightTransferException>(() => reader.Read(0, reference));
                all.SignalAndWait();
                return failure.Message;
            },
            TaskCreationOptions.LongRunning)));
        Assert.Single(failures.Distinct());
        Assert.Equal(3, channel.Opened);
    }

    [Fact]
    public void What_another_attempt_cannot_mend_is_not_tried_again()
    {
        Publish(staleness: 0, last: 0);
        using var reader = Reader(1);
        Assert.Contains("has 4 bytes, this node's network 2800000", Assert.Throws<WeightTransferException>(() => reader.Read(0, Newest() with { Bytes = 4 })).Message);
        Assert.Equal(0, channel.Opened);
        Assert.Contains("is not published", Assert.Throws<WeightTransferException>(() => reader.Read(0, Newest() with { RunId = "other" })).Message);
    }

    [Fact]
    public void On_policy_a_straggler_gets_an_error_instead_of_weights_that_change_under_it()
    {
        var published = Publish(staleness: 0, last: 0);
        var reference = Newest();
        channel.Way = (_, stream) => new Changed(stream, () => Next(published, 1));
        using var reader = Reader(1);
        Assert.Contains("version 0 is gone", Assert.Throws<WeightTransferException>(() => reader.Read(0, reference)).Message);
    }

    [Fact]
    public void Nothing_is_served_while_the_arena_changes_and_the_next_version_only_when_it_is_whole()
    {
        var published = Publish(staleness: 0, last: 0);
        var (before, piece) = (Newest(), new byte[4]);
        Assert.True(published.TryCopy(0, before.Sha256, 0, piece));
        published.Change();
        Assert.False(published.TryCopy(0, before.Sha256, 0, piece));
        Assert.Empty(published.Held);
        live.Initialize(2, range: 1);
        published.Take(1);
        Assert.False(published.TryCopy(0, before.Sha256, 0, piece));
        Assert.False(published.TryCopy(1, before.Sha256, 0, piece)); // the same version of another attempt is another one
        Assert.True(published.TryCopy(1, Newest().Sha256, 0, piece));
        published.Dispose();
        Assert.False(published.TryCopy(1, live.Sha256(), 0, piece));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void However_many_versions_pass_there_are_k_plus_1_arenas(int staleness)
    {
        var published = Publish(staleness, last: 0);
        using var reader = Reader(staleness + 1);
        var arenas = new HashSet<ParameterArena>();
        for (var version = 1; version <= 20; version++)
        {
            Next(published, version);
            foreach (var reference in owner.References("r", "policy"))
            {
                using var read = reader.Read(reference.Version, reference);
                arenas.Add(read.Arena);
                Assert.Equal(reference.Sha256, read.Arena.Sha256());
            }
        }
        Assert.Equal(staleness + 1, arenas.Count);
        Assert.Equal(staleness == 0 ? 20 : 21, channel.Opened); // each version once, version 0 too where it is still held at version 1
    }

    [Fact]
    public async Task An_arena_that_is_being_read_is_not_given_to_another_version()
    {
        var published = Publish(staleness: 0, last: 0);
        using var reader = Reader(1);
        var first = reader.Read(0, Newest());
        var sha256 = first.Arena.Sha256();
        Next(published, 1);
        var next = Task.Run(() =>
        {
            using var other = Reader(1);
            using var read = other.Read(1, Newest());
            return read.Arena.Sha256();
        });
        Assert.NotSame(next, await Task.WhenAny(next, Task.Delay(200)));
        Assert.Equal(sha256, first.Arena.Sha256());
        first.Dispose();
        Assert.Equal(live.Sha256(), await next);
    }

    [Fact]
    public void Without_a_publisher_on_the_node_and_without_a_reference_the_missing_engine_is_named()
    {
        using var reader = Reader(1);
        Assert.Contains("run 'r' has published no 'policy' on this node", Assert.Throws<InvalidOperationException>(() => reader.Read(0, null)).Message);
    }

    private static Stream Harm(string harm, Stream stream) => harm switch
    {
        "damaged" => new Damaged(stream),
        "cut" => new Ending(stream, 1 << 20, () => throw new IOException("the line is dead")),
        "short" => new Ending(stream, 1 << 20, () => 0),
        "long" => new Long(stream),
        "stalled" => new Stalled(),
        _ => throw new ArgumentOutOfRangeException(nameof(harm), harm, null),
    };

    /// <summary>One bit of the second piece is another one.</summary>
    private sealed class Damaged(Stream inner) : ReadOnlyStream
    {
        private long passed;

        protected override int Next(Span<byte> into)
        {
            var count = inner.Read(into);
            if (passed is >= 1 << 20 and < 2 << 20 && count > 0) into[7] ^= 1;
            passed += count;
            return count;
        }
    }

    private sealed class Ending(Stream inner, long after, Func<int> end) : ReadOnlyStream
    {
        private long passed;

        protected override int Next(Span<byte> into)
        {
            if (passed >= after) return end();
            var count = inner.Read(into[..(int)Math.Min(into.Length, after - passed)]);
            passed += count;
            return count;
        }
    }

    private sealed class Long(Stream inner) : ReadOnlyStream
    {
        protected override int Next(Span<byte> into) => inner.Read(into) is > 0 and var count ? count : Math.Min(into.Length, 4);
    }

    private sealed class Changed(Stream inner, Action change) : ReadOnlyStream
    {
        private bool done;

        protected override int Next(Span<byte> into)
        {
            var count = inner.Read(into);
            if (!done) change();
            done = true;
            return count;
        }
    }

    private sealed class Stalled : ReadOnlyStream
    {
        protected override int Next(Span<byte> into) => throw new NotSupportedException();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return 0;
        }
    }
}
