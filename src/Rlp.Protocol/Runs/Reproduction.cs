using System.Globalization;
using Rlp.Protocol.Events;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Runs;

/// <summary>A figure of a step that was executed again and is not what the journal holds.</summary>
/// <param name="What">thoughts_sha256, loss, parameters_sha256, cursor, rewards of group 3, ...</param>
/// <param name="Expected">What the journal holds.</param>
/// <param name="Found">What came out now.</param>
public sealed record Divergence(string What, string Expected, string Found);

/// <summary>
/// What a step that is executed again must reproduce of the journal, and where it does not: compared are bits, so that two NaN are the same
/// result and 0 and -0 are not. Wall-clock figures are no part of it.
/// </summary>
public static class Reproduction
{
    public static IEnumerable<Divergence> Divergences(WireCursor expected, WireCursor found)
    {
        if (expected != found)
            yield return new("cursor", Text(expected), Text(found));
    }

    public static IEnumerable<Divergence> Divergences(AcceptedGroup expected, AcceptedGroup found)
    {
        var group = expected.Group;
        if (expected.ThoughtsSha256 != found.ThoughtsSha256)
            yield return new($"thoughts_sha256 of group {group}", expected.ThoughtsSha256, found.ThoughtsSha256);
        foreach (var divergence in (Divergence?[])
        [
            Figures($"rewards of group {group}", expected.Rewards, found.Rewards),
            Figures($"predicted_evidence of group {group}", expected.PredictedEvidence, found.PredictedEvidence),
            Figures($"teacher_evidence of group {group}", [expected.TeacherEvidence], [found.TeacherEvidence]),
        ])
            if (divergence is not null)
                yield return divergence;
    }

    public static IEnumerable<Divergence> Divergences(StepApplied expected, StepApplied found)
    {
        if (expected.ThoughtsSha256 != found.ThoughtsSha256)
            yield return new("thoughts_sha256", expected.ThoughtsSha256 ?? "none", found.ThoughtsSha256 ?? "none");
        foreach (var divergence in (Divergence?[])
        [
            Figures("reward_mean", Optional(expected.RewardMean), Optional(found.RewardMean)),
            Figures("loss", [expected.Loss], [found.Loss]),
            Figures("grad_norm", [expected.GradNorm], [found.GradNorm]),
        ])
            if (divergence is not null)
                yield return divergence;
        if (expected.ParametersSha256 != found.ParametersSha256)
            yield return new("parameters_sha256", expected.ParametersSha256, found.ParametersSha256);
        if (expected.PolicyVersion != found.PolicyVersion)
            yield return new("policy_version", Text(expected.PolicyVersion), Text(found.PolicyVersion));
        if (expected.InputTokens != found.InputTokens)
            yield return new("input_tokens", Text(expected.InputTokens), Text(found.InputTokens));
    }

    /// <summary>By name; a metric that only one of the two has is a divergence.</summary>
    public static IEnumerable<Divergence> Divergences(IReadOnlyDictionary<string, double> expected, IReadOnlyDictionary<string, double> found)
    {
        foreach (var name in expected.Keys.Union(found.Keys).Order(StringComparer.Ordinal))
            if (Figures($"metric {name}", Of(expected, name), Of(found, name)) is { } divergence)
                yield return divergence;

        static double[] Of(IReadOnlyDictionary<string, double> metrics, string name) => metrics.TryGetValue(name, out var value) ? [value] : [];
    }

    private static Divergence? Figures(string what, double[] expected, double[] found) =>
        expected.Select(BitConverter.DoubleToInt64Bits).SequenceEqual(found.Select(BitConverter.DoubleToInt64Bits))
            ? null
            : new Divergence(what, Text(expected), Text(found));

    private static double[] Optional(double? value) => value is { } figure ? [figure] : [];

    private static string Text(double[] values) => values.Length == 0 ? "none" : string.Join(", ", values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)));

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text(WireCursor cursor) => $"{cursor.Document}:{cursor.Offset}";
}
