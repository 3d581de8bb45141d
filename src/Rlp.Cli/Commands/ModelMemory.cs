using Rlp.Models;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>Bytes that a model takes, without activations.</summary>
/// <param name="Cache">State of all sequences at their full length.</param>
/// <param name="Master">The float32 weights behind those of a bf16 model; 0 for a float32 one.</param>
/// <param name="Gradients">In the model's type, and where that is bf16 their sums in float32.</param>
/// <param name="Moments">AdamW's two, in float32.</param>
/// <param name="Teacher">The EMA in float32, and where the model is bf16 its copy that scores.</param>
internal sealed record ModelMemory(
    int Batch, int Length, string Dtype, long Weights, long Cache, long Master, long Gradients, long Moments, long Teacher)
{
    public long Sample => Weights + Cache;

    public long Train => Weights + Master + Gradients + Moments + Teacher;

    public static ModelMemory Of(DecoderConfig config, ArenaLayout layout, int batch, int length, torch.ScalarType dtype)
    {
        var element = dtype == torch.ScalarType.BFloat16 ? 2 : sizeof(float);
        long weights = layout.Length * element, full = layout.Length * sizeof(float);
        var half = element == 2;
        return new ModelMemory(
            batch, length, half ? "bf16" : "f32", weights, config.StateBytes(batch, length, element),
            half ? full : 0, half ? weights + full : full, 2 * full, half ? full + weights : full);
    }
}
