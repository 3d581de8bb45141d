using Rlp.Models;
using Rlp.Training.Planning;
using Rlp.Training.Recipes;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>Bytes that a model takes, without activations; see <see cref="NetworkBytes"/>.</summary>
/// <param name="Cache">State of all sequences at their full length.</param>
internal sealed record ModelMemory(
    int Batch, int Length, string Dtype, long Weights, long Cache, long Master, long Gradients, long Moments, long Teacher)
{
    public long Sample => Weights + Cache;

    public long Train => Weights + Master + Gradients + Moments + Teacher;

    public static ModelMemory Of(DecoderConfig config, ArenaLayout layout, int batch, int length, torch.ScalarType dtype)
    {
        var (type, name, element) = dtype == torch.ScalarType.BFloat16 ? (WeightType.Bfloat16, "bf16", sizeof(short)) : (WeightType.Float32, "f32", sizeof(float));
        var (weights, master, gradients, moments, teacher) = NetworkBytes.Of(layout.Length, type);
        return new ModelMemory(batch, length, name, weights, config.StateBytes(batch, length, element), master, gradients, moments, teacher);
    }
}
