using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Rlp.Actors.Journals;
using Rlp.Actors.Tests;
using Rlp.Cli.Tests.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Runs;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>Who wears a node out, or guesses, is refused with a line in the log and takes nothing from the run nor from others.</summary>
[Collection(RlpCommand.Collection)]
public sealed class HostileClientTests : IAsyncLifetime
{
    private static readonly IPAddress Stranger = IPAddress.Parse("127.0.0.2");

    private readonly HostileNode node = new();

    public ValueTask InitializeAsync() => node.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await node.AssertUnharmedAsync();
        await node.DisposeAsync();
    }

    private string Log()
    {
        using var file = new FileStream(node.Node.Options.LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return new StreamReader(file).ReadToEnd();
    }

    private Task LoggedAsync(string what) => ConsoleNode.EventuallyAsync(() => Task.FromResult(Log().Contains(what)), $"the log says '{what}'");

    [Fact]
    public async Task Without_the_token_nothing_is_read_and_what_is_refused_is_logged()
    {
        Assert.StartsWith("HTTP/1.1 401", await node.SendAsync(HostileNode.Post("""{"command": "run cancel -r alpha"}""", token: "0123456789abcdee")));
        Assert.StartsWith("HTTP/1.1 401", await node.SendLineAsync("GET /console/palettes", authorization: "X: y"));
        Assert.StartsWith("HTTP/1.1 400", await node.SendAsync(HostileNode.Post("run list")));
        await LoggedAsync("400 for POST /console from 127.0.0.1");
        await LoggedAsync("401 for POST /console from 127.0.0.1");
    }

    [Fact]
    public async Task A_body_that_is_too_long_is_not_read()
    {
        Assert.StartsWith("HTTP/1.1 413", await node.SendAsync(HostileNode.Post($$"""{"command": "run cancel -r alpha {{new string(' ', 20_000)}}"}""")));
        Assert.StartsWith("HTTP/1.1 413", await node.SendAsync(HostileNode.Post("x", length: 2_000_000_000)));
        await LoggedAsync("413 for POST /console");
        Assert.StartsWith("HTTP/1.1 400", await node.SendAsync(HostileNode.Post($$"""{"command": "{{new string('[', 10_000)}}"}""")));
        Assert.StartsWith("HTTP/1.1 400", await node.SendAsync(HostileNode.Post(new string('[', 10_000))));
    }

    [Fact]
    public async Task A_body_that_does_not_come_is_given_up()
    {
        var answer = await node.SendAsync(HostileNode.Post("""{"command": "run cancel -r alpha""", length: 1000));
        Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 408"), answer);
        await LoggedAsync("408");
    }

    [Fact]
    public async Task Ten_thousand_connections_from_one_address_take_nothing_from_others_and_leave_nothing_behind()
    {
        Assert.SkipWhen(OperatingSystem.IsMacOS(), "a crowd of its own address needs 127.0.0.2, which macOS does not have");
        var refused = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "rlp.endpoint.refusals") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref refused, count));
        listener.Start();
        var (before, began) = (GC.GetTotalMemory(forceFullCollection: true), Stopwatch.GetTimestamp());

        var crowd = Enumerable.Range(0, 10_000).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)).ToArray();
        foreach (var wave in crowd.Chunk(500))
            await Task.WhenAll(wave.Select(async one =>
            {
                one.Bind(new IPEndPoint(Stranger, 0));
                await one.ConnectAsync(IPAddress.Loopback, node.Port);
                await one.SendAsync("POST /console HTTP/1.1\r\nHost: no"u8.ToArray());
            }));
        Assert.Equal("", await node.SendAsync(HostileNode.Post("""{"command": "run list"}"""), Stranger));
        Assert.StartsWith("HTTP/1.1 200", await node.SendLineAsync("GET /health/live", authorization: "X: y"));
        Assert.Contains("alpha", await node.SendAsync(HostileNode.Post("""{"command": "run list"}""")));
        foreach (var one in crowd) one.Dispose();

        await ConsoleNode.EventuallyAsync(
            async () => (await node.SendAsync(HostileNode.Post("""{"command": "run list"}"""), Stranger)).Contains("alpha"), "an answer once the crowd has gone");
        Array.Clear(crowd);
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(GC.GetTotalMemory(forceFullCollection: true) - before < 16 << 20), "the crowd's memory is free");
        Assert.InRange(Interlocked.Read(ref refused), 9_872, long.MaxValue);
        var lines = Log().Split('\n').Count(line => line.Contains("HTTP endpoint"));
        Assert.InRange(lines, 1, 21 * (1 + Stopwatch.GetElapsedTime(began).TotalSeconds / 10));
        await SeriesIsThatOfAnUndisturbedNodeAsync();
    }

    private async Task SeriesIsThatOfAnUndisturbedNodeAsync()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine(node.Folder, "elsewhere")).FullName;
        await using var other = await ConsoleNode.StartAsync(elsewhere, "other", new FakeEngines());
        var disturbed = Digests(node.Node);
        await other.Runs.SubmitAsync("alpha", HostileNode.Recipe);
        await ConsoleNode.EventuallyAsync(() => Task.FromResult(Digests(other).Length >= disturbed.Length), "as many steps undisturbed");
        Assert.Equal(Digests(other)[..disturbed.Length], disturbed);
    }

    private static StepDigest[] Digests(ConsoleNode of) => [.. new RunJournal(of.Options.Journal).Events("alpha").OfType<StepApplied>().Select(StepDigest.Of)];
}
