using Rlp.Models;
using Rlp.Objective;

namespace Rlp.Training.Measurement;

/// <summary>
/// The least time that decoding can take: each round of one token per sequence computes its products, and reads all weights, each group's
/// prefix and every thought's own state once; it takes whichever is longer.
/// </summary>
public static class DecodingRoofline
{
    /// <param name="elementBytes">Of weights and states: 4 for float32, 2 for bfloat16.</param>
    /// <param name="flops">FLOP/s that the device reaches in matrix products of that type.</param>
    /// <param name="readBytes">Bytes per second that it reads.</param>
    /// <returns>Seconds of the rounds, the prefixes not counted.</returns>
    public static double Seconds(DecoderConfig config, DecoderCosts costs, SamplerWorkload workload, int elementBytes, double flops, double readBytes)
    {
        double seconds = 0;
        for (var round = 0; round < workload.NewTokens; round++)
        {
            long context = workload.Prefix + 1 + round;
            var compute = workload.Sequences * Budgets.ForwardFlops(costs.MatrixParameters, 1, context, costs.AttentionWidth, costs.StateFlops);
            var read = (costs.MatrixParameters * (double)elementBytes) + config.StateBytes(workload.Groups, workload.Prefix + 1, elementBytes)
                + config.StateBytes(workload.Sequences, round, elementBytes);
            seconds += Math.Max(compute / flops, read / readBytes);
        }
        return seconds;
    }
}
