using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Data.Sqlite;
using Rlp.Actors.Tests;
using Rlp.Cli.Tests.Commands;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>What no console would send is refused with a status and a line in the log, and the run does not notice.</summary>
[Collection(RlpCommand.Collection)]
public sealed class HostileClientTests : IAsyncLifetime
{
    private const string Secret = "0123456789abcdef";

    private readonly string folder = Directory.CreateTempSubdirectory("rlp-console-").FullName;
    private ConsoleNode node = null!;

    public async ValueTask InitializeAsync()
    {
        var token = Path.Combine(folder, "token");
        await File.WriteAllTextAsync(token, Secret);
        node = await ConsoleNode.StartAsync(folder, "one", new FakeEngines { OnCall = (_, _) => Thread.Sleep(2) }, tokenFile: token);
        await node.Runs.SubmitAsync("alpha", Recipes.Full(pretrain: 2, cpt: 1, rlp: 100_000, evaluateEvery: 0));
    }

    /// <summary>After whatever was sent: the run has gone on, nothing else exists, and the node answers.</summary>
    public async ValueTask DisposeAsync()
    {
        var before = node.Runs.StateOf("alpha").Stage?.Applied ?? 0;
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(node.Runs.StateOf("alpha") is { Stage: { Plan.Id: "rlp" } stage } && stage.Applied > before + 2), "the run goes on");
        Assert.Equal(["alpha"], (await node.AskAsync("run list")).Skip(1).Select(l => l.Split('|')[0]));
        Assert.Equal(Rlp.Protocol.Runs.RunStatus.Running, node.Runs.StateOf("alpha").Status);
        await node.DisposeAsync();
        SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The whole answer; empty where the connection was closed without one.</summary>
    private async Task<string> SendAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, int.Parse(node.Address.Split(':')[1]));
        var stream = client.GetStream();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            await stream.WriteAsync(Encoding.UTF8.GetBytes(request), limit.Token);
        }
        catch (IOException)
        {
            // refused before all was sent; the answer may be there
        }
        try
        {
            using var answer = new StreamReader(stream);
            return await answer.ReadToEndAsync(limit.Token);
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static string Post(string body, string token = Secret, string type = "application/json", int? length = null) =>
        $"POST /console HTTP/1.1\r\nHost: node\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: {type}\r\nContent-Length: {length ?? Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    private string Log()
    {
        using var file = new FileStream(node.Options.LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return new StreamReader(file).ReadToEnd();
    }

    private Task LoggedAsync(string what) => ConsoleNode.EventuallyAsync(() => Task.FromResult(Log().Contains(what)), $"the log says '{what}'");

    [Theory]
    [InlineData("""{"command": "run list"}""", 200, "alpha")]
    [InlineData("""{"command": "run cancel -r ../alpha"}""", 400, "expected a run id")]
    [InlineData("""{"command": "checkpoint prune -r ..%2f..%2fetc"}""", 400, "expected a run id")]
    [InlineData("""{"command": "run show -r alpha\u0000"}""", 400, "expected a run id")]
    [InlineData("""{"command": "run fork -r alpha -a 1 -i ../../x"}""", 400, "expected a run id")]
    [InlineData("""{"command": "shutdown now"}""", 400, "there is no palette 'shutdown'")]
    [InlineData("""{"command": ""}""", 400, "an empty line is no command")]
    [InlineData("""{"command": 7}""", 400, "is not JSON like")]
    [InlineData("""{"command": null}""", 400, "is not JSON like")]
    [InlineData("""{"comand": "run list"}""", 400, "is not JSON like")]
    [InlineData("""["run list"]""", 400, "is not JSON like")]
    [InlineData("""{"command": "run li""", 400, "is not JSON like")]
    [InlineData("run list", 400, "is not JSON like")]
    [InlineData("", 400, "is not JSON like")]
    [InlineData("null", 400, "an empty line is no command")]
    public async Task A_body_is_answered_by_what_it_says(string body, int status, string text)
    {
        var answer = await SendAsync(Post(body));
        Assert.StartsWith($"HTTP/1.1 {status}", answer);
        Assert.Contains(text, answer);
        if (status != 200) await LoggedAsync($"{status} for POST /console from 127.0.0.1");
    }

    [Fact]
    public async Task Without_the_token_nothing_is_read()
    {
        Assert.StartsWith("HTTP/1.1 401", await SendAsync(Post("""{"command": "run cancel -r alpha"}""", token: "0123456789abcdee")));
        Assert.StartsWith("HTTP/1.1 401", await SendAsync("GET /console/palettes HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"));
        await LoggedAsync("401 for POST /console from 127.0.0.1");
    }

    [Theory]
    [InlineData("text/plain")] // what a page in a browser may send to another machine without asking it
    [InlineData("application/x-www-form-urlencoded")]
    public async Task What_a_page_in_a_browser_could_send_is_no_command(string type) =>
        Assert.StartsWith("HTTP/1.1 415", await SendAsync(Post("""{"command": "run cancel -r alpha"}""", type: type)));

    [Fact]
    public async Task A_body_that_is_too_long_is_not_read()
    {
        Assert.StartsWith("HTTP/1.1 413", await SendAsync(Post($$"""{"command": "run cancel -r alpha {{new string(' ', 20_000)}}"}""")));
        Assert.StartsWith("HTTP/1.1 413", await SendAsync(Post("x", length: 2_000_000_000)));
        await LoggedAsync("413 for POST /console");
        Assert.StartsWith("HTTP/1.1 400", await SendAsync(Post($$"""{"command": "{{new string('[', 10_000)}}"}""")));
        Assert.StartsWith("HTTP/1.1 400", await SendAsync(Post(new string('[', 10_000))));
    }

    [Fact]
    public async Task A_body_that_does_not_come_is_given_up()
    {
        var answer = await SendAsync(Post("""{"command": "run cancel -r alpha""", length: 1000));
        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 408"), answer);
        await LoggedAsync("408");
    }

    [Theory]
    [InlineData("GET /console HTTP/1.1", 405)]
    [InlineData("DELETE /console HTTP/1.1", 405)]
    [InlineData("GET /console/../../etc/passwd HTTP/1.1", 404)]
    [InlineData("GET /console/palettes/x HTTP/1.1", 404)]
    public async Task Other_requests_are_none(string line, int status) =>
        Assert.StartsWith($"HTTP/1.1 {status}", await SendAsync($"{line}\r\nHost: node\r\nConnection: close\r\nAuthorization: Bearer {Secret}\r\n\r\n"));

    [Fact]
    public async Task Several_hundred_connections_with_half_a_request_take_nothing_from_those_after_them()
    {
        var crowd = Enumerable.Range(0, 400).Select(_ => new TcpClient()).ToArray();
        foreach (var one in crowd) await one.ConnectAsync(IPAddress.Loopback, int.Parse(node.Address.Split(':')[1]));
        foreach (var one in crowd.Take(200)) await one.GetStream().WriteAsync(Encoding.UTF8.GetBytes("POST /console HTTP/1.1\r\nHost: no"));
        Assert.Equal("", await SendAsync(Post("""{"command": "run list"}""")));
        foreach (var one in crowd) one.Dispose();
        await ConsoleNode.EventuallyAsync(async () => (await SendAsync(Post("""{"command": "run list"}"""))).Contains("alpha"), "an answer once the crowd has gone");
    }

    [Fact]
    public async Task The_palettes_are_published_as_json()
    {
        var answer = await SendAsync($"GET /console/palettes HTTP/1.1\r\nHost: node\r\nConnection: close\r\nAuthorization: Bearer {Secret}\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", answer);
        Assert.Contains("""{"node":"one","palettes":[{"name":"run",""", answer);
        Assert.Contains("""{"name":"run","switch":"-r","description":"id of the run; 'run list' shows them","mandatory":true,"multiple":false}""", answer);
    }
}
