using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>How weights are written.</summary>
public sealed record ExportSettings
{
    /// <summary>float32 or bfloat16.</summary>
    public ScalarType Dtype { get; init; } = ScalarType.Float32;

    /// <summary>
    /// Above it the weights are split into shards; a single larger tensor has a shard of its own. Hugging Face's default.
    /// </summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;
}
