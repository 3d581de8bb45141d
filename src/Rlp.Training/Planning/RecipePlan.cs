using Rlp.Models;
using Rlp.Training.Recipes;

namespace Rlp.Training.Planning;

/// <summary>What a recipe takes on given devices: memory, FLOPs and time of each stage.</summary>
/// <param name="Parameters">Of the network.</param>
/// <param name="Stages">In their order.</param>
public sealed record RecipePlan(long Parameters, DeviceRates Rates, int Nodes, IReadOnlyList<StagePlan> Stages)
{
    public double Seconds => Stages.Sum(s => s.Seconds);

    /// <summary>The stage and node that need most of what a device has too little of; null: everything fits.</summary>
    public NodeMemory? TooLarge => Stages.SelectMany(s => s.Memory).Where(m => m.Memory.PeakBytes > Rates.MemoryBytes).MaxBy(m => m.Memory.PeakBytes);

    /// <param name="nodes">At least 1; all with the same device.</param>
    /// <exception cref="Rlp.Corpora.CorpusException">A stage's data cannot be read.</exception>
    public static RecipePlan Of(Recipe recipe, DeviceRates rates, int nodes)
    {
        var config = RecipeNetwork.Config(recipe, RecipeNetwork.Tokenizer(recipe));
        var layout = Decoder.Layout(config);
        var costs = Decoder.CostsOf(config, layout);
        var type = recipe.Model.Dtype;
        return new RecipePlan(layout.ParameterCount, rates, nodes, [.. recipe.Stages.Select(stage => new StagePlan(
            stage.Id, stage.Steps,
            StepCost.Of(stage, FirstStep.Of(recipe, stage), config, costs, rates, type == WeightType.Bfloat16 ? 2 : sizeof(float), nodes),
            [
                new NodeMemory(stage.Id, nodes > 1 && stage.Rlp is not null ? "learner's node" : "node", StageMemory.Of(type, stage, config, layout.Length, rates.OnCpu)),
                .. nodes > 1 && stage.Rlp is not null
                    ? new[] { new NodeMemory(stage.Id, "other nodes", StageMemory.OfRollout(type, stage, config, layout.Length, rates.OnCpu)) }
                    : [],
            ]))]);
    }
}

/// <param name="Id">Of the stage.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Memory">Of each kind of node that takes part.</param>
public sealed record StagePlan(string Id, long Steps, StepCost Step, IReadOnlyList<NodeMemory> Memory)
{
    public double Seconds => Steps * Step.Seconds;
}

/// <param name="Node">Which nodes need it.</param>
public sealed record NodeMemory(string Stage, string Node, StageMemory Memory);
