using Rlp.Models;

namespace Rlp.Training.Planning;

/// <summary>
/// What a pass over tokens keeps beside the weights. All that depends on how layers are written stands here, as numbers per token: whoever
/// changes a layer's forward pass counts again what it keeps, and `plan-memory` of tests/Rlp.Benchmarks says whether the count is right.
/// </summary>
public static class ActivationBytes
{
    /// <summary>Vectors of each width that one token of one layer keeps until the backward pass has used them.</summary>
    private static class Kept
    {
        /// <summary>Of the hidden size: the residual stream and the normalised vector; of a layer with one norm.</summary>
        public const int PerNorm = 2;

        /// <summary>Of all query heads: projected, rotated, attended.</summary>
        public const int Queries = 3;

        /// <summary>Of all key heads: projected keys and values, rotated keys.</summary>
        public const int Keys = 3;

        /// <summary>Of the intermediate size: gate, up and product, and a gradient at work.</summary>
        public const int SwiGlu = 4;

        /// <summary>Of the intermediate size: up, relu, square.</summary>
        public const int SquaredRelu = 4;

        /// <summary>Of the Mamba width: z, y, gate, gated, norms, x of the scan in several layouts.</summary>
        public const int MambaWidth = 12;

        /// <summary>Of the convolution width: projected, padded, convolved, silu, float32.</summary>
        public const int Convolution = 6;

        /// <summary>Of the Mamba heads, for each other token of a chunk: decays between tokens, and decays times scores.</summary>
        public const int ChunkPairs = 3;
    }

    /// <summary>Vectors of the widest product that one token of the layer at work takes where nothing is kept for a backward pass.</summary>
    private const int ForwardWidest = 4;

    /// <summary>Copies of a chunk's logits in float32 that the loss and its gradient hold at once.</summary>
    private const int TrainedLogits = 2;

    /// <summary>The same where tensor operations compute them: scaled logits, masks, distribution, and what an operation makes beside its operands.</summary>
    private const int TrainedLogitsOnDevice = 4;

    /// <summary>Vectors of the hidden size of each token that the loss looks at: its state, without the network behind it, and its gradient.</summary>
    private const int LossStates = 3;

    /// <summary>Copies of a thought token's logits that one draw on an accelerator holds at once: float32 ones, and three of float64.</summary>
    private const int DrawnLogits = 4 + (3 * 2);

    /// <summary>Of all layers of one token until the backward pass, in bytes.</summary>
    /// <param name="elementBytes">Of the activations: 4 for float32, 2 for bfloat16.</param>
    /// <param name="recomputed">Whether a layer keeps its input alone and is computed again.</param>
    public static long Trained(DecoderConfig config, int elementBytes, bool recomputed)
    {
        long[] layers = [.. Layers(config)];
        return (recomputed ? ((config.Layers + 1L) * 2 * config.HiddenSize) + layers.Max() : layers.Sum()) * elementBytes;
    }

    /// <summary>Of the one layer at work of one token where nothing is kept, in bytes.</summary>
    public static long Forward(DecoderConfig config, int elementBytes)
    {
        long queries = (long)config.AttentionHeads * config.HeadDim, keys = (long)config.KeyValueHeads * config.HeadDim;
        var widest = Math.Max(config.IntermediateSize, queries + keys);
        if (config is NemotronHConfig hybrid) widest = Math.Max(widest, hybrid.MambaWidth + hybrid.ConvolutionWidth);
        return ((2L * config.HiddenSize) + (ForwardWidest * widest)) * elementBytes;
    }

    /// <summary>Of a pass's tokens where the loss looks at all of them: a chunk of logits, and the states.</summary>
    public static long LossLogits(DecoderConfig config, long tokens, bool onCpu) =>
        ((onCpu ? TrainedLogits : TrainedLogitsOnDevice)
                * Math.Min(tokens * config.VocabularySize, Math.Max(onCpu ? ChunkedHead.LogitsAtOnce : ChunkedHead.LogitsAtOnceOnDevice, config.VocabularySize))
            + (LossStates * tokens * config.HiddenSize)) * sizeof(float);

    /// <summary>Of one sequence while its next token is drawn: on the host from its logits as they lie.</summary>
    public static long DrawLogits(DecoderConfig config, bool onCpu) => (onCpu ? 1L : DrawnLogits) * config.VocabularySize * sizeof(float);

    private static IEnumerable<long> Layers(DecoderConfig config)
    {
        long hidden = config.HiddenSize, queries = (long)config.AttentionHeads * config.HeadDim, keys = (long)config.KeyValueHeads * config.HeadDim;
        var attention = (Kept.PerNorm * hidden) + (Kept.Queries * queries) + (Kept.Keys * keys);
        if (config is not NemotronHConfig hybrid)
            return Enumerable.Repeat(attention + (Kept.PerNorm * hidden) + (Kept.SwiGlu * (long)config.IntermediateSize), config.Layers);
        var mlp = (Kept.PerNorm * hidden) + (Kept.SquaredRelu * (long)config.IntermediateSize);
        var mamba = (Kept.PerNorm * hidden) + (Kept.MambaWidth * (long)hybrid.MambaWidth) + (Kept.Convolution * (long)hybrid.ConvolutionWidth)
            + (Kept.ChunkPairs * (long)hybrid.MambaHeads * hybrid.ChunkSize);
        return hybrid.Pattern.Select(layer => layer switch
        {
            NemotronHConfig.Mamba => mamba,
            NemotronHConfig.Attention => attention,
            _ => mlp,
        });
    }
}
