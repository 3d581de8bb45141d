using Rlp.Protocol.Events;

namespace Rlp.Actors.Tests;

/// <summary>
/// How many groups one run entity plans, hands out, accepts and journals in a second where engines cost nothing: the coordinator's limit. Not part
/// of the tests:
/// <c>tests/Rlp.Actors.Tests/bin/Release/net10.0/Rlp.Actors.Tests -explicit only -class Rlp.Actors.Tests.CoordinatorMeasurements -showliveoutput</c>
/// </summary>
public sealed class CoordinatorMeasurements(ITestOutputHelper output) : IDisposable
{
    private const int Steps = 12;
    private const int GroupsPerLane = 4;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory(Explicit = true)]
    [InlineData(10)]
    [InlineData(100)]
    [InlineData(1000)]
    public async Task Groups_per_second(int lanes)
    {
        var recipe = Recipes.Full(pretrain: 1, cpt: 1, rlp: Steps, lanes: lanes, checkpointEvery: 0, evaluateEvery: 0);
        recipe = recipe with
        {
            Compare = null,
            Stages = [.. recipe.Stages.Select(s => s.Rlp is null ? s : s with { BatchSize = lanes * GroupsPerLane })],
        };
        await using var node = await TestNode.StartAsync(TestNode.OptionsFor(folder.Path, new FakeEngines()) with { Settings = "" });
        await node.RunAsync("r", recipe);
        var steps = node.Journal.Events("r").OfType<StepApplied>().Where(s => s.Stage == "rlp").Skip(2).ToList(); // without what is compiled first
        Assert.Equal(Steps - 2, steps.Count);
        var seconds = steps.Sum(s => s.Seconds);
        output.WriteLine($"{lanes} lanes of {GroupsPerLane} groups: {steps.Count * lanes * GroupsPerLane / seconds:F0} groups/s, {1000 * seconds / steps.Count:F1} ms per step");
    }
}
