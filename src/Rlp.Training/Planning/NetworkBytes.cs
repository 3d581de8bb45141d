using Rlp.Training.Recipes;

namespace Rlp.Training.Planning;

/// <summary>Bytes of a network that is trained and followed by a teacher: of what training holds all the time, whatever passes through it.</summary>
/// <param name="Weights">Those that passes compute with, in the model's type.</param>
/// <param name="Master">The float32 weights behind those of a bf16 model; 0 for a float32 one.</param>
/// <param name="Gradients">In the model's type, and where that is bf16 their sums in float32.</param>
/// <param name="Moments">AdamW's two, in float32.</param>
/// <param name="Teacher">The EMA in float32, and where the model is bf16 its copy that scores.</param>
public sealed record NetworkBytes(long Weights, long Master, long Gradients, long Moments, long Teacher)
{
    /// <param name="arenaLength">Elements of one copy of the network, see <see cref="Rlp.Models.ArenaLayout.Length"/>.</param>
    public static NetworkBytes Of(long arenaLength, WeightType type)
    {
        long full = arenaLength * sizeof(float), half = arenaLength * sizeof(short);
        return type == WeightType.Bfloat16
            ? new NetworkBytes(half, full, half + full, 2 * full, half + full)
            : new NetworkBytes(full, 0, full, 2 * full, full);
    }
}
