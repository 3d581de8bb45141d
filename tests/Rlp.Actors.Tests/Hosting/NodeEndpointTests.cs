using System.Net;
using System.Net.Sockets;
using System.Text;
using Rlp.Actors.Hosting;
using Rlp.Actors.Tests.Weights;

namespace Rlp.Actors.Tests.Hosting;

/// <summary>What strangers send to the endpoint is refused with a status, and the next node gets its weights all the same.</summary>
public sealed class NodeEndpointTests : IAsyncLifetime
{
    private const string Secret = "0123456789abcdef";

    private readonly TemporaryFolder folder = new();
    private WeightExchange owner = null!;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "token"), Secret);
        owner = await WeightExchange.StartAsync(WithToken);
    }

    private NodeOptions WithToken(NodeOptions options) => options with { Security = new NodeSecurity { TokenFile = Path.Combine(folder.Path, "token") } };

    public async ValueTask DisposeAsync()
    {
        await AssertUnharmed();
        await owner.DisposeAsync();
        folder.Dispose();
    }

    private async Task AssertUnharmed()
    {
        await using var node = await WeightExchange.StartAsync(WithToken);
        Assert.Equal(owner.Live.Sha256(), node.Fetch(owner.Newest));
    }

    /// <summary>The answer's first line; empty where the connection was closed without one.</summary>
    private async Task<string> SendAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, owner.Network.Address!.Port);
        var stream = client.GetStream();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(request), limit.Token);
            using var answer = new StreamReader(stream);
            return await answer.ReadLineAsync(limit.Token) ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static string Get(string path, string more = "") => $"GET {path} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {Secret}\r\n{more}\r\n";

    [Theory]
    [InlineData("/weights/r/policy/0", "200")]
    [InlineData("/", "404")]
    [InlineData("/weights", "404")]
    [InlineData("/weights/r/policy/0/more", "404")]
    [InlineData("/weights/other/policy/0", "404")]
    [InlineData("/weights/r/teacher/0", "404")]
    [InlineData("/weights/r/policy/1", "410")]
    [InlineData("/weights/r/policy/-1", "400")]
    [InlineData("/weights/r/policy/99999999999999999999", "400")]
    [InlineData("/weights/r/policy/0x0", "400")]
    [InlineData("/weights/../../etc/passwd", "404")]
    [InlineData("/weights/r/..%2f..%2fetc%2fpasswd/0", "400")]
    [InlineData("/weights/%00/policy/0", "400")]
    [InlineData("/weights/r%0d%0aX:%20y/policy/0", "400")]
    public async Task A_path_is_answered_by_what_it_names(string path, string status) => Assert.StartsWith($"HTTP/1.1 {status}", await SendAsync(Get(path)));

    [Theory]
    [InlineData("GET /weights/r/policy/0 HTTP/1.1\r\nHost: node\r\n\r\n", "401")]
    [InlineData("GET /weights/r/policy/0 HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer 0123456789abcdee\r\n\r\n", "401")]
    [InlineData("GET /weights/r/policy/0 HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer \r\n\r\n", "401")]
    [InlineData("GET /weights/r/policy/0 HTTP/1.1\r\nHost: node\r\nAuthorization: Basic 0123456789abcdef\r\n\r\n", "401")]
    [InlineData("GET /absent HTTP/1.1\r\nHost: node\r\n\r\n", "401")] // who has no token learns nothing
    [InlineData("DELETE /weights/r/policy/0 HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n", "405")]
    [InlineData("POST /weights/r/policy/0 HTTP/1.1\r\nHost: node\r\nContent-Length: 5\r\n\r\nhello", "413")]
    [InlineData("POST / HTTP/1.1\r\nHost: node\r\nContent-Length: 99999999999\r\n\r\n", "413")]
    [InlineData("POST / HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "413")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "400")] // no host
    [InlineData("GET / HTTP/9.9\r\nHost: node\r\n\r\n", "505")]
    [InlineData("\0\u0001\u0002garbage\r\n\r\n", "400")]
    public async Task What_no_node_would_send_is_refused(string request, string status) => Assert.StartsWith($"HTTP/1.1 {status}", await SendAsync(request));

    [Fact]
    public async Task Oversized_requests_are_refused()
    {
        Assert.StartsWith("HTTP/1.1 414", await SendAsync(Get("/" + new string('a', 3000))));
        Assert.StartsWith("HTTP/1.1 431", await SendAsync(Get("/", $"X: {new string('a', 9000)}\r\n")));
        Assert.StartsWith("HTTP/1.1 431", await SendAsync(Get("/", string.Concat(Enumerable.Range(0, 40).Select(i => $"X-{i}: y\r\n")))));
    }

    [Fact]
    public async Task A_request_that_never_ends_is_given_up() => Assert.StartsWith("HTTP/1.1 408", await SendAsync("GET / HTTP/1.1\r\nHost: no"));

    [Fact]
    public async Task More_connections_than_there_is_room_for_are_closed_and_take_nothing_from_those_after_them()
    {
        Assert.SkipWhen(OperatingSystem.IsMacOS(), "a crowd from several addresses needs 127.0.0.2 and more, which macOS does not have");
        var crowd = Enumerable.Range(0, 300).Select(i => new TcpClient(new IPEndPoint(IPAddress.Parse($"127.0.0.{2 + i % 3}"), 0))).ToArray();
        await Task.WhenAll(crowd.Select(c => c.ConnectAsync(IPAddress.Loopback, owner.Network.Address!.Port)));
        await Task.Delay(200);
        Assert.Equal("", await SendAsync(Get("/weights/r/policy/0")));
        foreach (var one in crowd) one.Dispose();
        await TestNode.EventuallyAsync(async () => (await SendAsync(Get("/weights/r/policy/0"))).Contains("200"), "an answer once the crowd has gone");
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_holds_no_other_one_up()
    {
        var idlers = Enumerable.Range(0, 8).Select(_ => new TcpClient { ReceiveBufferSize = 4096 }).ToArray();
        foreach (var idler in idlers)
        {
            await idler.ConnectAsync(IPAddress.Loopback, owner.Network.Address!.Port);
            await idler.GetStream().WriteAsync(Encoding.Latin1.GetBytes(Get("/weights/r/policy/0")));
        }
        await AssertUnharmed();
        foreach (var idler in idlers) idler.Dispose();
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_with_its_key()
    {
        var taken = owner.Network.Address!.Port;
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => WeightExchange.StartAsync(o => o with { HttpPort = taken }));
        Assert.Contains($"cannot listen on 127.0.0.1:{taken}", refused.Message);
        Assert.Contains("node.http-port", refused.Message);
    }
}
