using Rlp.Actors.Workers;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Runs;

/// <summary>The memory that a run's leases ask for, in bytes: weights and what is kept per weight. Activations come on top.</summary>
internal static class RunMemory
{
    /// <param name="arenaLength">Elements of one copy of the network, see <see cref="Training.Engines.IEngineFactory.ArenaLength"/>.</param>
    public static Dictionary<string, long> Of(Recipe recipe, long arenaLength)
    {
        var full = arenaLength * sizeof(float);
        var half = recipe.Model.Dtype == WeightType.Bfloat16 ? arenaLength * 2 : 0; // what passes compute with, beside the float32 of the rest
        var hasReference = recipe.Stages.Any(s => s.Rlp is { Beta: > 0 });
        var staleness = recipe.Stages.Max(s => s.Rlp?.Staleness) ?? 0;
        var versions = staleness == 0 ? 0 : staleness + 1; // see WeightHistory
        return new Dictionary<string, long>
        {
            // Weights, gradients and AdamW's two moments; the initial weights where there is a KL penalty to them; versions for sampling ahead.
            [WorkerActor.NameOf(Role.Learner)] = (4 * full) + (2 * half) + ((versions + (hasReference ? 1 : 0)) * (half > 0 ? half : full)),
            [WorkerActor.NameOf(Role.Ema)] = recipe.Stages.Any(s => s.Kind == StageKind.Rlp) ? full + half + (versions * (half > 0 ? half : full)) : 0,
        };
    }
}
