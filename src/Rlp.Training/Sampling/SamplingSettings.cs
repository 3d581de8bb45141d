namespace Rlp.Training.Sampling;

/// <summary>
/// How thoughts are drawn. The truncations are applied in the order of their members, as elsewhere in the field; behaviour log-probabilities are those
/// of the tempered and masked distribution before truncation, which is also what the learner compares with.
/// </summary>
public sealed record SamplingSettings
{
    /// <summary>T, above 0.</summary>
    public required double Temperature { get; init; }

    /// <summary>The end marker included.</summary>
    public required int MaxThoughtTokens { get; init; }

    /// <summary>The end marker included; it cannot be drawn before. At least 2, for a thought is never empty.</summary>
    public int MinThoughtTokens { get; init; } = 2;

    /// <summary>Only the k most probable tokens; 0: all.</summary>
    public int TopK { get; init; }

    /// <summary>Only the fewest tokens whose probabilities sum to this; 1: all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Only tokens of at least this share of the greatest probability; 0: all.</summary>
    public double MinP { get; init; }

    /// <summary>Whether any token may be left out.</summary>
    public bool Truncates => TopK > 0 || TopP < 1 || MinP > 0;
}
