using Rlp.Training.Recipes;

namespace Rlp.Training.Planning;

/// <summary>
/// A GPU by its maker's data sheet. Products are dense; those in float32 are not rounded to TF32, which libtorch does only when told to.
/// </summary>
/// <param name="MemoryBytes">As sold, in powers of ten.</param>
/// <param name="Float32Flops">FLOP/s.</param>
/// <param name="Bfloat16Flops">FLOP/s on the tensor cores.</param>
/// <param name="ReadBytes">Bytes per second of its memory.</param>
public sealed record KnownDevice(string Name, long MemoryBytes, double Float32Flops, double Bfloat16Flops, double ReadBytes)
{
    /// <summary>Of the peak, in passes over many tokens: what well-kept training programs reach on such GPUs.</summary>
    public const double AssumedTrainingUtilisation = 0.4;

    /// <summary>Of the roofline of decoding.</summary>
    public const double AssumedDecodingUtilisation = 0.5;

    public static IReadOnlyList<KnownDevice> All { get; } =
    [
        new("H100", 80_000_000_000, 66.9e12, 989.4e12, 3.35e12),
        new("H100-PCIe", 80_000_000_000, 51.2e12, 756e12, 2.0e12),
        new("H200", 141_000_000_000, 66.9e12, 989.4e12, 4.8e12),
        new("B200", 180_000_000_000, 75e12, 2250e12, 8.0e12),
        new("A100-40GB", 40_000_000_000, 19.5e12, 312e12, 1.555e12),
        new("A100-80GB", 80_000_000_000, 19.5e12, 312e12, 2.039e12),
        new("L40S", 48_000_000_000, 91.6e12, 362e12, 0.864e12),
        new("L4", 24_000_000_000, 30.3e12, 121e12, 0.3e12),
        new("RTX-4090", 24_000_000_000, 82.6e12, 165.2e12, 1.008e12),
        new("RTX-3090", 24_000_000_000, 35.6e12, 71e12, 0.936e12),
    ];

    public DeviceRates Rates(WeightType type) => new(
        Name, MemoryBytes, type == WeightType.Bfloat16 ? Bfloat16Flops : Float32Flops, ReadBytes, AssumedTrainingUtilisation, AssumedDecodingUtilisation,
        $"{Name}'s data sheet, of which {AssumedTrainingUtilisation:P0} is assumed for training and {AssumedDecodingUtilisation:P0} for decoding");
}
