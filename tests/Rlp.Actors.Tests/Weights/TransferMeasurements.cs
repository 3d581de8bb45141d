using System.Diagnostics;
using Akka.Actor;
using Rlp.Actors.Hosting;
using Rlp.Actors.Tests.Hosting;

namespace Rlp.Actors.Tests.Weights;

/// <summary>
/// How fast weights travel on loopback, and what that does to a heartbeat. Run alone, on a quiet machine:
/// bin/Release/net10.0/Rlp.Actors.Tests -explicit only -class Rlp.Actors.Tests.Weights.TransferMeasurements -showliveoutput
/// </summary>
public sealed class TransferMeasurements(ITestOutputHelper output) : IDisposable
{
    private const long Elements = 25_000_000; // 100 MB
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory(Explicit = true)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Megabytes_per_second_of_one_reader(bool tls)
    {
        using var authority = new TestAuthority(folder.Path);
        NodeOptions Options(NodeOptions o) => tls ? o with { Security = new NodeSecurity { Tls = authority.Node(Guid.NewGuid().ToString()) } } : o;
        await using var owner = await WeightExchange.StartAsync(Options, Elements);
        await using var node = await WeightExchange.StartAsync(Options, Elements);
        for (var version = 1; version <= 6; version++)
        {
            owner.Take(version);
            using var reader = node.Reader();
            var began = Stopwatch.GetTimestamp();
            using (reader.Read(version, owner.Newest))
                output.WriteLine($"{(tls ? "https" : "http")}: {owner.Published.Bytes / 1e6 / Stopwatch.GetElapsedTime(began).TotalSeconds:F0} MB/s, checked");
        }
    }

    [Fact(Explicit = true)]
    public async Task Lateness_of_a_heartbeat_beside_transfers()
    {
        await using var system = await TestNode.StartAsync(TestNode.OptionsFor(folder.Sub("node"), new FakeEngines()));
        await using var owner = await WeightExchange.StartAsync(elements: Elements);
        var nodes = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => WeightExchange.StartAsync(elements: Elements)));
        output.WriteLine($"idle: {await LatenessAsync(system, TimeSpan.FromSeconds(8))}");
        var end = DateTime.UtcNow + TimeSpan.FromSeconds(10);
        var transfers = nodes.Select(n => Task.Run(() =>
        {
            var count = 0;
            for (; DateTime.UtcNow < end; count++) n.Fetch(owner.Newest);
            return count;
        })).ToArray();
        output.WriteLine($"4 readers: {await LatenessAsync(system, TimeSpan.FromSeconds(8))}");
        output.WriteLine($"{(await Task.WhenAll(transfers)).Sum()} transfers of 100 MB in 10 s");
        foreach (var node in nodes) await node.DisposeAsync();
    }

    /// <summary>Beyond the interval, on the dispatcher of the cluster's heartbeats.</summary>
    private static async Task<string> LatenessAsync(TestNode node, TimeSpan time)
    {
        var ticker = node.System.ActorOf(Props.Create(() => new Ticker()).WithDispatcher(Dispatchers.Cluster));
        await Task.Delay(time);
        var late = await ticker.Ask<double[]>("lateness", TimeSpan.FromSeconds(30));
        Array.Sort(late);
        return $"{late.Length} ticks, median {late[late.Length / 2]:F1} ms, most {late[^1]:F1} ms late";
    }

    private sealed class Ticker : ReceiveActor, IWithTimers
    {
        private readonly List<double> lateness = [];
        private long last;

        public Ticker()
        {
            Receive<int>(_ =>
            {
                var now = Stopwatch.GetTimestamp();
                if (last != 0) lateness.Add(Math.Max(0, (Stopwatch.GetElapsedTime(last, now) - Interval).TotalMilliseconds));
                last = now;
            });
            Receive<string>(_ => Sender.Tell(lateness.ToArray()));
        }

        public ITimerScheduler Timers { get; set; } = null!;

        protected override void PreStart() => Timers.StartPeriodicTimer("tick", 1, Interval);
    }
}
