namespace Rlp.Training.Planning;

/// <summary>What a device holds and how fast it works on one type of weights.</summary>
/// <param name="Device">Its name.</param>
/// <param name="MemoryBytes">Of the device.</param>
/// <param name="Flops">FLOP/s of matrix products in that type.</param>
/// <param name="ReadBytes">Bytes per second that it reads from its memory.</param>
/// <param name="TrainingUtilisation">Share of <paramref name="Flops"/> that passes over many tokens reach.</param>
/// <param name="DecodingUtilisation">Share of <see cref="Measurement.DecodingRoofline"/> that sampling reaches.</param>
/// <param name="Origin">Where the figures come from.</param>
public sealed record DeviceRates(
    string Device, long MemoryBytes, double Flops, double ReadBytes, double TrainingUtilisation, double DecodingUtilisation, string Origin)
{
    /// <summary>It computes on the node's cores, in the node's memory.</summary>
    public bool OnCpu { get; init; }
}
