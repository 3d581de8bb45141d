using Rlp.Models;

namespace Rlp.Training.Measurement;

/// <summary>
/// The rates of this machine, measured in seconds rather than minutes: on the network that is asked about where it is small, else on a
/// small one.
/// </summary>
public static class BriefMeasurement
{
    private const long LargestArena = 1 << 25; // elements: 128 MiB of weights

    private const int Repeats = 3;

    private static readonly Qwen3Config Small = new()
    {
        VocabularySize = 4096,
        HiddenSize = 256,
        IntermediateSize = 768,
        Layers = 10,
        AttentionHeads = 8,
        KeyValueHeads = 4,
        HeadDim = 32,
    };

    public static MachineRates Of(DecoderConfig config, int threads)
    {
        if (Decoder.Layout(config).Length > LargestArena) config = Small;
        IntraOpThreads.Use(threads);
        using var parameters = new ParameterArena(Decoder.Layout(config), trainable: true);
        using var policy = Decoder.Create(config, parameters);
        policy.Initialize(1);
        var peaks = MachinePeaks.Measure();
        var sampler = SamplerMeasurement.Run(policy, new SamplerWorkload(Prefix: 64, NewTokens: 16, Groups: 4, GroupSize: 8), Repeats);
        var learner = LearnerMeasurement.Run(policy, batch: 8, length: 96, Repeats);
        return MachineRates.Of(peaks, threads) with
        {
            TrainingUtilisation = learner.FlopsPerS / peaks.GemmFlops,
            DecodingUtilisation = sampler.DecodingUtilisation(policy, peaks),
        };
    }
}
