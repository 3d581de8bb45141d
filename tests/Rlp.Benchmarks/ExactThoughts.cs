using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;

namespace Rlp.Benchmarks;

/// <summary>Sampling and learning on thoughts of exactly one length, so that figures count the same tokens everywhere.</summary>
internal static class ExactThoughts
{
    public const double Temperature = 1.0;

    private const int DefaultMicroBatchTokens = 16_384;

    public static ThoughtSampler Sampler(BenchmarkModel model, int thoughtTokens) =>
        new(model.Decoder, model.Tokenizer, seed: 1, RlpSettings(1, thoughtTokens).Sampling);

    /// <exception cref="InvalidOperationException">A thought is longer or shorter.</exception>
    public static IReadOnlyList<SampledGroup> Sample(ThoughtSampler sampler, long step, GroupPosition[] positions, int groupSize, int thoughtTokens)
    {
        var groups = sampler.Sample(step, positions, groupSize);
        foreach (var length in groups.SelectMany(g => g.Thoughts).Select(t => t.Tokens.Length))
            if (length != thoughtTokens)
                throw new InvalidOperationException($"a thought of {length} tokens instead of {thoughtTokens}: tokens/s would mean something else");
        return groups;
    }

    /// <summary>An RLP stage for a learner that neither clips nor decays.</summary>
    public static StageSettings RlpStage(int positions, int groupSize, int thoughtTokens, int microBatchTokens = DefaultMicroBatchTokens) =>
        NtpStage(positions, microBatchTokens) with { Id = "rlp", Kind = StageKind.Rlp, Rlp = RlpSettings(groupSize, thoughtTokens) };

    public static RlpSettings RlpSettings(int groupSize, int thoughtTokens) =>
        new() { GroupSize = groupSize, Temperature = Temperature, MaxThoughtTokens = thoughtTokens, MinThoughtTokens = thoughtTokens };

    public static StageSettings NtpStage(int documents, int microBatchTokens = DefaultMicroBatchTokens) => new()
    {
        Id = "ntp",
        Kind = StageKind.Ntp,
        Steps = 1_000_000,
        BatchSize = documents,
        Data = [],
        MicroBatchTokens = microBatchTokens,
        Optimizer = new OptimizerSettings { LearningRate = 1e-6, MaxGradNorm = 0 },
    };
}
