using Rlp.Models;
using Rlp.Training.Engines;
using Rlp.Training.Sampling;

namespace Rlp.Training.Measurement;

/// <summary>What is sampled: G thoughts of exactly <paramref name="NewTokens"/> tokens for each of B prefixes.</summary>
/// <param name="Prefix">Tokens of each prefix, the begin marker not counted.</param>
/// <param name="NewTokens">Tokens of each thought, the end marker included.</param>
/// <param name="Groups">B.</param>
/// <param name="GroupSize">G.</param>
public sealed record SamplerWorkload(int Prefix, int NewTokens, int Groups, int GroupSize)
{
    public int Sequences => Groups * GroupSize;
}

/// <summary>How fast a sampler works through a workload.</summary>
/// <param name="Seconds">Of all of it, prefixes included.</param>
/// <param name="DecodeSeconds">Of the same less what one token per thought takes, which is when prefixes are read; null where there is but one.</param>
public sealed record SamplerMeasurement(SamplerWorkload Workload, double Seconds, double? DecodeSeconds)
{
    private const int Seed = 1;

    /// <summary>New tokens per second of the whole, prefixes included.</summary>
    public double TokensPerS => Workload.Sequences * (double)Workload.NewTokens / Seconds;

    /// <summary>New tokens per second once the prefixes have been read.</summary>
    public double? DecodeTokensPerS => Workload.Sequences * (Workload.NewTokens - 1.0) / DecodeSeconds;

    /// <param name="repeats">Timed repetitions after one to warm up; medians count.</param>
    public static SamplerMeasurement Run(IDecoder policy, SamplerWorkload workload, int repeats)
    {
        var vocabulary = new BareVocabulary(policy.Config.VocabularySize);
        GroupPosition[] positions = [.. vocabulary.Documents(workload.Groups, workload.Prefix, Seed)
            .Select((prefix, group) => new GroupPosition(group, prefix, 0))];
        var whole = Seconds(workload.NewTokens);
        return new SamplerMeasurement(workload, whole, workload.NewTokens == 1 ? null : Math.Max(whole - Seconds(1), whole / 1000));

        double Seconds(int newTokens)
        {
            using var sampler = SamplerOfExactLength(policy, vocabulary, newTokens);
            long step = 0;
            return MedianTime.Seconds(repeats, () =>
            {
                var groups = sampler.Sample(++step, positions, workload.GroupSize);
                var sampled = groups.Sum(g => g.Thoughts.Sum(t => (long)t.Tokens.Length));
                if (sampled != workload.Sequences * (long)newTokens)
                    throw new InvalidOperationException($"{sampled} tokens were sampled, not the {workload.Sequences * (long)newTokens} asked for");
            });
        }
    }

    /// <summary>The share of <see cref="DecodingRoofline"/> that was reached in float32; null as <see cref="DecodeSeconds"/>.</summary>
    public double? DecodingUtilisation(IDecoder policy, MachinePeaks peaks) =>
        DecodingRoofline.Seconds(
            policy.Config, policy.Costs, Workload with { NewTokens = Workload.NewTokens - 1 }, sizeof(float), peaks.GemmFlops, peaks.ReadBytes)
        / DecodeSeconds;

    private static ThoughtSampler SamplerOfExactLength(IDecoder policy, BareVocabulary vocabulary, int newTokens) =>
        new(policy, vocabulary, Seed, new SamplingSettings { Temperature = 1, MinThoughtTokens = newTokens, MaxThoughtTokens = newTokens });
}
