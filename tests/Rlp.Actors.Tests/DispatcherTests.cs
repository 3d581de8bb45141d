using Akka.Actor;
using Rlp.Actors.Hosting;

namespace Rlp.Actors.Tests;

/// <summary>What keeps a node in its cluster waits for nothing else in the process.</summary>
public sealed class DispatcherTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task The_actor_that_sends_heartbeats_runs_on_the_clusters_own_threads()
    {
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        await TestNode.EventuallyAsync(
            async () => await Dispatcher("/system/cluster/core/daemon/heartbeatSender") == Dispatchers.Cluster, "heartbeats on the cluster's threads");

        async Task<string> Dispatcher(string path)
        {
            try
            {
                var actor = await node.System.ActorSelection(path).ResolveOne(TimeSpan.FromSeconds(1));
                return ((ActorCell)((ActorRefWithCell)actor).Underlying).Dispatcher.Id;
            }
            catch (ActorNotFoundException)
            {
                return "not there yet";
            }
        }
    }

    [Theory]
    [InlineData(Dispatchers.Cluster)]
    [InlineData(Dispatchers.Remote)]
    public async Task Heartbeats_take_no_threads_that_others_can_occupy(string dispatcher)
    {
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()));
        var actor = node.System.ActorOf(Props.Create(() => new Where()).WithDispatcher(dispatcher));
        Assert.False(await actor.Ask<bool>("is this the thread pool?", TimeSpan.FromSeconds(10)));
    }

    private sealed class Where : ReceiveActor
    {
        public Where() => Receive<string>(_ => Sender.Tell(Thread.CurrentThread.IsThreadPoolThread));
    }
}
