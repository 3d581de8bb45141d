using Rlp.Models;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>Bytes that a model takes, without activations.</summary>
/// <param name="Cache">State of all sequences at their full length.</param>
/// <param name="Moments">AdamW's two.</param>
/// <param name="Teacher">The EMA, in float32.</param>
internal sealed record ModelMemory(int Batch, int Length, string Dtype, long Weights, long Cache, long Gradients, long Moments, long Teacher)
{
    public long Sample => Weights + Cache;

    public long Train => Weights + Gradients + Moments + Teacher;

    public static ModelMemory Of(DecoderConfig config, ArenaLayout layout, int batch, int length, torch.ScalarType dtype)
    {
        var element = dtype == torch.ScalarType.BFloat16 ? 2 : sizeof(float);
        var weights = layout.Length * element;
        return new ModelMemory(
            batch, length, element == 2 ? "bf16" : "f32", weights, config.StateBytes(batch, length, element), weights, 2 * weights, layout.Length * sizeof(float));
    }
}
