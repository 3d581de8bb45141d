using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Akka.Actor;
using Rlp.Actors.Hosting;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;

namespace Rlp.Actors.Tests.Hosting;

/// <summary>With certificates, nodes of one authority talk to each other and to nobody else; garbage on the port harms nothing.</summary>
public sealed class RemotingSecurityTests : IAsyncLifetime
{
    private readonly TemporaryFolder folder = new();
    private TestAuthority authority = null!;
    private TestNode node = null!;

    public async ValueTask InitializeAsync()
    {
        authority = new TestAuthority(folder.Path);
        node = await StartAsync("node", authority.Node());
    }

    public async ValueTask DisposeAsync()
    {
        await node.DisposeAsync();
        authority.Dispose();
        folder.Dispose();
    }

    private Task<TestNode> StartAsync(string name, NodeTls? tls) =>
        TestNode.StartAsync(TestNode.OptionsFor(folder.Sub(name), new FakeEngines()) with { Security = new NodeSecurity { Tls = tls } });

    private static Task<NodeStatus> AskAsync(TestNode from, TestNode to, TimeSpan within) =>
        from.System.ActorSelection($"{to.Address}/user/node").Ask<NodeStatus>(new GetNodeStatus(), within);

    [Fact]
    public async Task Nodes_of_one_authority_talk_both_ways()
    {
        await using var other = await StartAsync("other", authority.Node("other"));
        Assert.Equal(1, (await AskAsync(node, other, TimeSpan.FromSeconds(20))).Cores);
        Assert.Equal(1, (await AskAsync(other, node, TimeSpan.FromSeconds(20))).Cores);
    }

    [Theory]
    [InlineData(false)] // no certificate, no TLS
    [InlineData(true)] // another authority's
    public async Task A_node_without_a_certificate_of_the_authority_reaches_nobody_and_is_not_reached(bool certificate)
    {
        using var stranger = new TestAuthority(folder.Path, "stranger");
        await using var other = await StartAsync("other", certificate ? stranger.Node() : null);
        await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(other, node, TimeSpan.FromSeconds(4)));
        await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(node, other, TimeSpan.FromSeconds(4)));
        if (certificate)
            await TestNode.EventuallyAsync(async () => (await LogOf(node)).Contains("none of node.tls.ca signed its certificate CN=node"), "a line in the node's log");
        await AssertUnharmed();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(1 << 20)]
    public async Task Garbage_on_the_port_harms_nothing(int length)
    {
        await SendGarbage(node, length);
        await AssertUnharmed();
    }

    [Theory]
    [InlineData(100)]
    [InlineData(1 << 20)]
    public async Task Garbage_and_oversized_frames_on_a_plaintext_port_harm_nothing(int length)
    {
        await using var open = await StartAsync("open", null);
        await using var friend = await StartAsync("friend", null);
        await SendGarbage(open, length);
        await SendGarbage(open, length, oversized: true);
        Assert.Equal(1, (await AskAsync(friend, open, TimeSpan.FromSeconds(20))).Cores);
    }

    private async Task AssertUnharmed()
    {
        await using var friend = await StartAsync($"friend-{Guid.NewGuid():N}", authority.Node("friend"));
        Assert.Equal(1, (await AskAsync(friend, node, TimeSpan.FromSeconds(20))).Cores);
    }

    private static async Task<string> LogOf(TestNode node)
    {
        if (!File.Exists(node.Options.LogFile)) return "";
        using var log = new StreamReader(new FileStream(node.Options.LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return await log.ReadToEndAsync();
    }

    private static async Task SendGarbage(TestNode to, int length, bool oversized = false)
    {
        for (var connection = 0; connection < 4; connection++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, to.Address.Port!.Value);
            var bytes = RandomNumberGenerator.GetBytes(length);
            if (oversized) BitConverter.TryWriteBytes(bytes, int.MaxValue - connection); // the length of a frame stands before it
            try
            {
                await client.GetStream().WriteAsync(bytes);
            }
            catch (IOException)
            {
                // Closed by the node while it was being written to.
            }
        }
    }
}
