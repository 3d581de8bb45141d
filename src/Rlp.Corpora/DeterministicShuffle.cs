using System.Numerics;

namespace Rlp.Corpora;

/// <summary>
/// A permutation of [0, count) for each epoch, computed one element at a time: a balanced Feistel network whose round function is Philox,
/// over the smallest domain of 4^k elements that holds the count, walked along its cycles until it lands in range (Black and Rogaway,
/// "Ciphers with Arbitrary Finite Domains", 2002). The domain is less than four times the count, so a walk has less than four steps on average.
/// </summary>
public sealed class DeterministicShuffle
{
    private const int Rounds = 10; // small domains need more than the four of Luby and Rackoff to look uniform

    private readonly ulong count;
    private readonly ulong key;
    private readonly int halfBits;
    private readonly ulong halfMask;

    /// <param name="count">Number of elements, at least 1.</param>
    /// <param name="seed">Another seed gives other permutations.</param>
    public DeterministicShuffle(long count, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        this.count = (ulong)count;
        key = Philox.Key(seed, "shuffle");
        var bits = 64 - BitOperations.LeadingZeroCount(this.count - 1);
        halfBits = Math.Max(1, (bits + 1) / 2);
        halfMask = (1UL << halfBits) - 1;
    }

    /// <summary>The element that stands at a position of an epoch.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The position is not in [0, count), or the epoch is negative.</exception>
    public long Map(long epoch, long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)position, count, nameof(position));
        var element = (ulong)position;
        do element = Permute((ulong)epoch, element);
        while (element >= count);
        return (long)element;
    }

    private ulong Permute(ulong epoch, ulong element)
    {
        ulong left = element >> halfBits, right = element & halfMask;
        for (var round = 0UL; round < Rounds; round++)
            (left, right) = (right, left ^ (Philox.Block64(key, round << 32 | right, epoch).Low & halfMask));
        return left << halfBits | right;
    }
}
