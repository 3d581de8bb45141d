using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Engines.Torch;

namespace Rlp.Actors.Tests.Weights;

/// <summary>A run whose engines read every weight through the HTTP endpoint has the bits of one whose engines share them.</summary>
public sealed class FetchingRunTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Fetched_weights_give_the_series_of_shared_ones(int staleness)
    {
        var (shared, nothing) = await RunAsync(staleness, fetch: false);
        var (fetched, bytes) = await RunAsync(staleness, fetch: true);
        Assert.Equal(shared, fetched);
        Assert.True(bytes > 0, "no weights went through the endpoint");
        Assert.Equal(0, nothing);
    }

    private async Task<(IReadOnlyList<string> Series, long Bytes)> RunAsync(int staleness, bool fetch)
    {
        var options = TestNode.OptionsFor(folder.Sub(fetch ? "fetched" : "shared"), new TorchEngineFactory());
        await using var node = await TestNode.StartAsync(options with
        {
            HttpPort = fetch ? 0 : null,
            Transfers = options.Transfers with { FetchOwn = fetch },
        });
        var progress = await node.RunAsync("r", Recipes.Arithmetic(staleness: staleness));
        Assert.Equal(RunStatus.Completed, Assert.IsType<RunEnded>(progress[^1]).Status);
        var evaluations = node.Journal.Events("r").OfType<Rlp.Protocol.Events.StageEvaluated>()
            .Select(e => $"{e.Stage} {e.Step} {e.Result.ThinkAccuracy:R} {e.Result.PredictedEvidence:R} {e.Result.NothinkEvidence:R}");
        return ([.. TestNode.Series(node.Journal, "r"), .. evaluations], node.Network.WeightBytesSent);
    }
}
