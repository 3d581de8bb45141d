using Rlp.Training.Engines.Torch;
using Rlp.Training.Planning;

namespace Rlp.Training.Tests.Planning;

public sealed class RecipePlanTests : IDisposable
{
    private static readonly DeviceRates Rates = new("test", 1L << 40, Flops: 1e9, ReadBytes: 1e9, TrainingUtilisation: 0.5, DecodingUtilisation: 0.25, "the test") { OnCpu = true };

    private readonly Metrics.TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_first_step_costs_what_it_then_costs()
    {
        var recipe = TinyRecipes.Arithmetic();
        var planned = RecipePlan.Of(recipe, Rates, nodes: 1).Stages.ToDictionary(s => s.Id, s => s.Step);
        var ntp = First("pretrain");
        Assert.Equal(ntp.Flops, planned["pretrain"].Flops);
        Assert.Equal(ntp.InputTokens, planned["pretrain"].InputTokens);
        Assert.Equal(ntp.Flops / 0.5e9, planned["pretrain"].Seconds, 1e-12);

        var rlp = First("rlp");
        Assert.Equal(rlp.InputTokens, planned["rlp"].InputTokens);
        Assert.Equal(5 * 4 * 6, planned["rlp"].ThoughtTokens);
        Assert.InRange(planned["rlp"].Flops, rlp.Flops, 2 * rlp.Flops); // thoughts at their limit

        Rlp.Training.Engines.AppliedStep First(string stage)
        {
            using var loop = new BareLoop(new TorchEngineFactory(), TinyRecipes.Context(recipe, stage, folder[stage]));
            return loop.Next().Applied;
        }
    }

    [Fact]
    public void More_nodes_share_the_lanes_and_not_the_learning()
    {
        var recipe = TinyRecipes.Arithmetic(lanes: 4);
        StepCost On(int nodes) => RecipePlan.Of(recipe, Rates, nodes).Stages[1].Step;
        Assert.Equal(On(1).RolloutSeconds / 2, On(2).RolloutSeconds, 1e-12);
        Assert.Equal(On(2).RolloutSeconds, On(3).RolloutSeconds, 1e-12); // of four lanes one of three nodes still has two
        Assert.Equal(On(1).RolloutSeconds / 4, On(100).RolloutSeconds, 1e-12);
        Assert.Equal(On(1).LearningSeconds, On(4).LearningSeconds);
    }

    [Fact]
    public void The_stage_that_needs_most_is_the_one_that_does_not_fit()
    {
        var recipe = TinyRecipes.Arithmetic();
        Assert.Null(RecipePlan.Of(recipe, Rates, nodes: 1).TooLarge);
        var most = RecipePlan.Of(recipe, Rates, nodes: 1).Stages.SelectMany(s => s.Memory).MaxBy(m => m.Memory.PeakBytes)!;
        Assert.Equal(StageMemory.Of(recipe).PeakBytes, most.Memory.PeakBytes);
        Assert.Null(RecipePlan.Of(recipe, Rates with { MemoryBytes = most.Memory.PeakBytes }, nodes: 1).TooLarge);
        Assert.Equal(most.Stage, RecipePlan.Of(recipe, Rates with { MemoryBytes = most.Memory.PeakBytes - 1 }, nodes: 1).TooLarge?.Stage);
    }
}
