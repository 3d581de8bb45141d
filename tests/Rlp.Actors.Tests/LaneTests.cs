using Akka.Actor;
using Rlp.Actors.Runs;
using Rlp.Protocol.Commands;

namespace Rlp.Actors.Tests;

/// <summary>What a lane does with commands that come twice.</summary>
public sealed class LaneTests : IDisposable
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(20);

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task An_attempt_that_failed_is_not_made_again_and_its_failure_is_told_again()
    {
        var engines = new FakeEngines { OnCall = (call, _) => { if (call.EndsWith("sample", StringComparison.Ordinal)) throw new IOException("broken"); } };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, engines));
        var runs = Inbox.Create(node.System);
        var lane = node.System.ActorOf(Props.Create(() => new RolloutLaneActor(runs.Receiver)));
        var command = new ExecuteLane { RunId = "r", Stage = "rlp", Step = 3, Lane = 0, Attempt = 7, Opening = 1, RecipeJson = Recipes.Full().ToJson() };

        // Both workers fail, in any order: the first failure is the attempt's.
        lane.Tell(command);
        var failed = await FailureAsync(runs);
        await SampledAsync(1);
        lane.Tell(command);
        Assert.Equal(failed, await FailureAsync(runs));
        lane.Tell(command with { Attempt = 8 });
        Assert.Equal(8, (await FailureAsync(runs)).Attempt);
        await SampledAsync(2);

        Task SampledAsync(int times) =>
            TestNode.EventuallyAsync(() => Task.FromResult(engines.Calls.Count(c => c == "rlp sample 3") == times), $"{times} calls of the sampler");
    }

    /// <summary>Skips the words that the lane has begun.</summary>
    private static async Task<LaneFailed> FailureAsync(Inbox runs)
    {
        while (true)
            if (await runs.ReceiveAsync(Within) is not LaneStarted and var message)
                return Assert.IsType<LaneFailed>(message);
    }
}
