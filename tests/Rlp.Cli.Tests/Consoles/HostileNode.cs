using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Data.Sqlite;
using Rlp.Actors.Tests;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>A node with a token and with the run alpha at work, and requests to it as they go over the wire.</summary>
public sealed class HostileNode : IAsyncLifetime
{
    private const string Secret = "0123456789abcdef";

    public const string Authorization = $"Authorization: Bearer {Secret}";

    internal static Recipe Recipe => Recipes.Full(pretrain: 2, cpt: 1, rlp: 100_000, evaluateEvery: 0);

    internal string Folder { get; } = Directory.CreateTempSubdirectory("rlp-console-").FullName;

    internal ConsoleNode Node { get; private set; } = null!;

    internal int Port => int.Parse(Node.Address.Split(':')[1]);

    public async ValueTask InitializeAsync()
    {
        var token = Path.Combine(Folder, "token");
        await File.WriteAllTextAsync(token, Secret);
        Node = await ConsoleNode.StartAsync(Folder, "one", new FakeEngines { OnCall = (_, _) => Thread.Sleep(2) }, tokenFile: token);
        await Node.Runs.SubmitAsync("alpha", Recipe);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        SqliteConnection.ClearAllPools();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>After whatever was sent: the run has gone on, nothing else exists, and the node answers.</summary>
    internal async Task AssertUnharmedAsync()
    {
        var before = Node.Runs.StateOf("alpha").Stage?.Applied ?? 0;
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(Node.Runs.StateOf("alpha") is { Stage: { Plan.Id: "rlp" } stage } && stage.Applied > before + 2), "the run goes on");
        Assert.Equal(["alpha"], (await Node.AskAsync("run list")).Skip(1).Select(l => l.Split('|')[0]));
        Assert.Equal(RunStatus.Running, Node.Runs.StateOf("alpha").Status);
    }

    /// <summary>The whole answer; empty where the connection was closed without one.</summary>
    internal async Task<string> SendAsync(string request, IPAddress? from = null)
    {
        using var client = new TcpClient(new IPEndPoint(from ?? IPAddress.Loopback, 0));
        await client.ConnectAsync(IPAddress.Loopback, Port);
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

    /// <summary>A request without a body.</summary>
    internal Task<string> SendLineAsync(string line, string authorization = Authorization) =>
        SendAsync($"{line} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{authorization}\r\n\r\n");

    internal static string Post(string body, string token = Secret, string type = "application/json", int? length = null, string path = "/console") =>
        $"POST {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
            + $"Content-Type: {type}\r\nContent-Length: {length ?? Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";
}
