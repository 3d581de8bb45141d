using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Rlp.Corpora;

/// <summary>
/// The counter-based generator Philox4x32-10 of J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, "Parallel Random Numbers: As Easy as
/// 1, 2, 3", SC11 (2011). Every draw is a pure function of a key and a counter, so it depends on no state, thread or order of calls.
/// </summary>
public static class Philox
{
    private const int Rounds = 10;
    private const ulong Multiplier0 = 0xD2511F53;
    private const ulong Multiplier1 = 0xCD9E8D57;
    private const uint KeyIncrement0 = 0x9E3779B9; // golden ratio
    private const uint KeyIncrement1 = 0xBB67AE85; // sqrt(3) - 1

    /// <summary>128 random bits: the block of the counter under the key. Words are least significant first, as in the paper's reference code.</summary>
    public static (uint, uint, uint, uint) Block(ulong key, ulong counterLow, ulong counterHigh)
    {
        uint key0 = (uint)key, key1 = (uint)(key >> 32);
        uint c0 = (uint)counterLow, c1 = (uint)(counterLow >> 32), c2 = (uint)counterHigh, c3 = (uint)(counterHigh >> 32);
        for (var round = 0; round < Rounds; round++)
        {
            var product0 = Multiplier0 * c0;
            var product1 = Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(product1 >> 32) ^ c1 ^ key0, (uint)product1, (uint)(product0 >> 32) ^ c3 ^ key1, (uint)product0);
            key0 += KeyIncrement0;
            key1 += KeyIncrement1;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>The block of the counter as two 64-bit words.</summary>
    public static (ulong Low, ulong High) Block64(ulong key, ulong counterLow, ulong counterHigh)
    {
        var (a, b, c, d) = Block(key, counterLow, counterHigh);
        return (a | (ulong)b << 32, c | (ulong)d << 32);
    }

    /// <summary>
    /// A key for one purpose of a seed. Two uses of one seed must not share a key, or their draws at equal counters would be equal.
    /// </summary>
    public static ulong Key(ulong seed, string purpose)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(purpose));
        return Block64(seed, BinaryPrimitives.ReadUInt64LittleEndian(digest), BinaryPrimitives.ReadUInt64LittleEndian(digest.AsSpan(8))).Low;
    }

    /// <summary>Maps 32 random bits to a multiple of 2^-32 in [0, 1).</summary>
    public static double Uniform(uint bits) => bits * (1.0 / (1UL << 32));

    /// <summary>Maps the upper 53 of 64 random bits to a multiple of 2^-53 in [0, 1).</summary>
    public static double Uniform(ulong bits) => (bits >> 11) * (1.0 / (1UL << 53));

    /// <summary>
    /// An integer of [0, <paramref name="bound"/>), each with exactly the same probability (D. Lemire, "Fast Random Integer Generation in an
    /// Interval", 2019). A rejected block is followed by the block whose counter it is.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The bound is 0.</exception>
    public static ulong Below(ulong bound, ulong key, ulong counterLow, ulong counterHigh)
    {
        ArgumentOutOfRangeException.ThrowIfZero(bound);
        var threshold = (0 - bound) % bound; // 2^64 mod bound: this many values of the low product half are one too many
        while (true)
        {
            (counterLow, counterHigh) = Block64(key, counterLow, counterHigh);
            var candidate = Math.BigMul(counterLow, bound, out var remainder);
            if (remainder >= threshold) return candidate;
            candidate = Math.BigMul(counterHigh, bound, out remainder);
            if (remainder >= threshold) return candidate;
        }
    }
}
