using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Rlp.Training.Engines;

/// <summary>Digests of sampled thoughts: what the journal holds instead of the tokens.</summary>
public static class ThoughtDigest
{
    /// <summary>Digest of one group, see <see cref="SampledGroup.ThoughtsSha256"/>.</summary>
    public static string Of(SampledGroup group)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(sha, group.Position.Group);
        foreach (var thought in group.Thoughts)
        {
            Append(sha, thought.Tokens.Length);
            sha.AppendData(MemoryMarshal.AsBytes<int>(thought.Tokens));
            sha.AppendData(MemoryMarshal.AsBytes<float>(thought.LogProbabilities));
        }
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    /// <summary>Digest of a step: over its groups' digests in the order of the group ids.</summary>
    public static string OfStep(IEnumerable<(int Group, string Sha256)> groups)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (_, digest) in groups.OrderBy(g => g.Group))
            sha.AppendData(Convert.FromHexString(digest));
        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }

    private static void Append(IncrementalHash sha, int value) => sha.AppendData(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));
}
