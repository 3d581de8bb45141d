namespace Rlp.Training.Weights;

/// <summary>Where the weights of one version lie and what they are; equal digests are equal weights.</summary>
/// <param name="Name">policy or teacher, see <see cref="WeightNames"/>.</param>
/// <param name="Version">Optimizer steps in the policy, or in the one that the teacher followed.</param>
/// <param name="Sha256">Lower-case hexadecimal, of the bytes behind <paramref name="Url"/>.</param>
/// <param name="Bytes">Length of what is behind <paramref name="Url"/>.</param>
/// <param name="Publisher">The publisher's node, for messages to people.</param>
public sealed record WeightReference(string RunId, string Name, long Version, string Url, string Sha256, long Bytes, string Publisher)
{
    /// <summary>Of the float32 weights behind published bfloat16 ones; null where the published ones are themselves float32.</summary>
    public string? MasterSha256 { get; init; }

    /// <summary>The float32 weights: these, or those behind them.</summary>
    public WeightReference Master => MasterSha256 is not { } sha256
        ? this
        : this with
        {
            Name = WeightNames.MasterOf(Name),
            Url = Url.Replace($"/{Name}/{Version}", $"/{WeightNames.MasterOf(Name)}/{Version}", StringComparison.Ordinal),
            Sha256 = sha256,
            Bytes = 2 * Bytes,
            MasterSha256 = null,
        };

    public override string ToString() => $"{Name} {Version} of run '{RunId}' from {Url}";
}
