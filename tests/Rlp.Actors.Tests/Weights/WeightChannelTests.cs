using System.Diagnostics;
using Rlp.Actors.Hosting;
using Rlp.Actors.Tests.Hosting;

namespace Rlp.Actors.Tests.Weights;

/// <summary>Weights between two nodes over HTTP: whole, once, checked, and never a mixture.</summary>
public sealed class WeightChannelTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task What_one_node_publishes_another_reads_with_its_bits_version_after_version()
    {
        await using var owner = await WeightExchange.StartAsync();
        await using var node = await WeightExchange.StartAsync();
        for (var version = 1; version <= 3; version++)
        {
            owner.Take(version);
            Assert.Equal(owner.Live.Sha256(), node.Fetch(owner.Newest));
        }
        Assert.Equal(3 * owner.Published.Bytes, owner.Network.WeightBytesSent);
    }

    [Fact]
    public async Task Eight_engines_of_a_node_that_ask_at_once_cause_one_transfer()
    {
        await using var owner = await WeightExchange.StartAsync();
        await using var node = await WeightExchange.StartAsync();
        using var all = new Barrier(8);
        var reference = owner.Newest;
        var digests = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                using var reader = node.Reader();
                all.SignalAndWait();
                using var read = reader.Read(0, reference);
                all.SignalAndWait();
                return read.Arena.Sha256();
            },
            TaskCreationOptions.LongRunning)));
        Assert.Equal(owner.Live.Sha256(), Assert.Single(digests.Distinct()));
        Assert.Equal(owner.Published.Bytes, owner.Network.WeightBytesSent);
    }

    [Fact]
    public async Task Different_nodes_fetch_at_the_same_time()
    {
        await using var owner = await WeightExchange.StartAsync();
        var nodes = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => WeightExchange.StartAsync()));
        var digests = await Task.WhenAll(nodes.Select(n => Task.Run(() => n.Fetch(owner.Newest))));
        Assert.Equal(owner.Live.Sha256(), Assert.Single(digests.Distinct()));
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task A_byte_that_changed_on_the_way_is_noticed_and_the_transfer_repeated()
    {
        await using var owner = await WeightExchange.StartAsync();
        await using var node = await WeightExchange.StartAsync();
        using var relay = new Relay(owner.Network.Address!.Port)
        {
            Back = (_, position, piece) =>
            {
                if (position > 1_000_000) piece.Span[0] ^= 1;
                return true;
            },
        };
        var reference = owner.Newest with { Url = relay.Through(owner.Newest.Url) };
        var failure = node.Fetch(reference);
        Assert.Contains($"policy 0 of run 'r' from {reference.Url}: expected SHA-256 {owner.Live.Sha256()}, found ", failure);
        Assert.Contains("attempt 3 of 3", failure);

        var (before, damaged) = (owner.Network.WeightBytesSent, false);
        relay.Back = (_, position, piece) =>
        {
            if (damaged || position <= 1_000_000) return true;
            piece.Span[0] ^= 1;
            return damaged = true;
        };
        Assert.Equal(owner.Live.Sha256(), node.Fetch(reference));
        Assert.Equal(2 * owner.Published.Bytes, owner.Network.WeightBytesSent - before);
    }

    [Fact]
    public async Task A_connection_cut_in_the_middle_is_noticed_and_the_transfer_repeated()
    {
        await using var owner = await WeightExchange.StartAsync();
        await using var node = await WeightExchange.StartAsync();
        using var relay = new Relay(owner.Network.Address!.Port) { Back = (_, position, _) => position < 1_000_000 };
        var reference = owner.Newest with { Url = relay.Through(owner.Newest.Url) };
        Assert.Contains($"from {reference.Url}: cut off after ", node.Fetch(reference));
        Assert.Equal(3, relay.Connections);
        relay.Back = (connection, position, _) => connection > 4 || position < 1_000_000;
        Assert.Equal(owner.Live.Sha256(), node.Fetch(reference));
        Assert.Equal(5, relay.Connections);
    }

    [Fact]
    public async Task A_straggler_is_cut_off_when_the_live_weights_change_under_its_transfer()
    {
        await using var owner = await WeightExchange.StartAsync(elements: 12_000_000); // more than what sockets and buffers hold
        await using var node = await WeightExchange.StartAsync(elements: 12_000_000);
        using var relay = new Relay(owner.Network.Address!.Port);
        var changed = false;
        relay.Back = (_, position, _) =>
        {
            if (position > 100_000 && !changed) owner.Take(1);
            if (position > 100_000) changed = true;
            return true;
        };
        var failure = node.Fetch(owner.Newest with { Url = relay.Through(owner.Newest.Url) });
        Assert.Contains("status 410: policy 0 of run 'r' is not held; held are: 1", failure); // the second attempt's answer; the first was cut off
        Assert.True(owner.Network.WeightBytesSent < owner.Published.Bytes);
        Assert.Equal(owner.Live.Sha256(), node.Fetch(owner.Newest));
    }

    [Fact]
    public async Task A_publisher_that_is_gone_is_named()
    {
        await using var node = await WeightExchange.StartAsync();
        var owner = await WeightExchange.StartAsync();
        var reference = owner.Newest;
        await owner.DisposeAsync();
        var failure = node.Fetch(reference);
        Assert.Contains($"from {reference.Url} cannot be reached: Connection refused", failure);
        Assert.Contains("attempt 3 of 3", failure);
    }

    [Fact]
    public async Task With_a_rate_the_transfer_takes_its_time()
    {
        await using var owner = await WeightExchange.StartAsync(o => o with { WeightBytesPerSecond = 4_000_000 });
        await using var node = await WeightExchange.StartAsync();
        var began = Stopwatch.GetTimestamp();
        Assert.Equal(owner.Live.Sha256(), node.Fetch(owner.Newest));
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0.65, 30); // 2.8 MB
    }

    [Fact]
    public async Task With_certificates_and_a_token_weights_travel_encrypted_between_nodes_of_one_authority()
    {
        using var authority = new TestAuthority(folder.Path);
        using var stranger = new TestAuthority(folder.Path, "stranger");
        var token = Path.Combine(folder.Path, "token");
        File.WriteAllText(token, "a secret of the cluster".Replace(' ', '-') + "\n");
        NodeOptions Secure(NodeOptions o, NodeTls tls) => o with { Security = new NodeSecurity { Tls = tls, TokenFile = token } };
        await using var owner = await WeightExchange.StartAsync(o => Secure(o, authority.Node("owner")));
        await using var node = await WeightExchange.StartAsync(o => Secure(o, authority.Node("reader")));
        Assert.StartsWith("https://127.0.0.1:", owner.Newest.Url);
        Assert.Equal(owner.Live.Sha256(), node.Fetch(owner.Newest));

        await using var other = await WeightExchange.StartAsync(o => Secure(o, stranger.Node()));
        Assert.Contains("cannot be reached: The remote certificate was rejected", other.Fetch(owner.Newest));
        Assert.Contains("takes weights only over https", node.Fetch(owner.Newest with { Url = owner.Newest.Url.Replace("https", "http") }));
        await using var tokenless = await WeightExchange.StartAsync(o => o with { Security = new NodeSecurity { Tls = authority.Node("tokenless") } });
        Assert.Contains("was refused with status 401", tokenless.Fetch(owner.Newest));
    }
}
