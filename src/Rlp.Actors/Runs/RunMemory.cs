using Rlp.Actors.Workers;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Runs;

/// <summary>The memory that a run's leases ask for, in bytes: weights and what is kept per weight, each in the model's type. Activations come on top.</summary>
internal static class RunMemory
{
    /// <param name="arenaLength">Elements of one copy of the network, see <see cref="Training.Engines.IEngineFactory.ArenaLength"/>.</param>
    public static Dictionary<string, long> Of(Recipe recipe, long arenaLength)
    {
        var copy = arenaLength * (recipe.Model.Dtype == WeightType.Bfloat16 ? 2 : sizeof(float));
        var hasReference = recipe.Stages.Any(s => s.Rlp is { Beta: > 0 });
        var staleness = recipe.Stages.Max(s => s.Rlp?.Staleness) ?? 0;
        var versions = staleness == 0 ? 0 : staleness + 1; // see WeightHistory
        return new Dictionary<string, long>
        {
            // Weights, gradients and AdamW's two moments; the initial weights where there is a KL penalty to them; versions for sampling ahead.
            [WorkerActor.NameOf(Role.Learner)] = ((hasReference ? 5 : 4) + versions) * copy,
            [WorkerActor.NameOf(Role.Ema)] = recipe.Stages.Any(s => s.Kind == StageKind.Rlp) ? (1 + versions) * copy : 0,
        };
    }
}
