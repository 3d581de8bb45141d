using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Rlp.Corpora;

/// <summary>
/// Which documents training never sees: a pure function of the salt, the document's <see cref="ICorpus.SplitKey"/> and the fraction, the same
/// in every run, seed and corpus. The held-out set of a smaller fraction is part of that of a larger one.
/// </summary>
public sealed record HeldOutSplit
{
    /// <param name="fraction">Expected share of the keys that is held out, in [0, 1).</param>
    /// <param name="salt">Another salt holds out other keys.</param>
    public HeldOutSplit(double fraction, string salt = "held out")
    {
        if (fraction is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "the held-out share must be in [0, 1)");
        Fraction = fraction;
        Salt = salt;
    }

    public double Fraction { get; }

    public string Salt { get; }

    public bool IsHeldOut(string key)
    {
        if (Fraction == 0) return false;
        // Keyed by the salt's digest, so that no other division into salt and key has the same hash.
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        HMACSHA256.HashData(SHA256.HashData(Encoding.UTF8.GetBytes(Salt)), Encoding.UTF8.GetBytes(key), digest);
        return Philox.Uniform(BinaryPrimitives.ReadUInt64LittleEndian(digest)) < Fraction;
    }
}
