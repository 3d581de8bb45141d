namespace Rlp.Corpora.Tests;

public sealed class PhiloxTests
{
    /// <summary>kat_vectors of Random123, the authors' reference library: philox4x32 10.</summary>
    [Theory]
    [InlineData(0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)]
    [InlineData(0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)]
    [InlineData(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1)]
    public void Blocks_equal_the_published_known_answers(ulong key, ulong low, ulong high, uint a, uint b, uint c, uint d)
    {
        Assert.Equal((a, b, c, d), Philox.Block(key, low, high));
        Assert.Equal((a | (ulong)b << 32, c | (ulong)d << 32), Philox.Block64(key, low, high));
    }

    [Fact]
    public void Uniform_numbers_fill_the_unit_interval_and_never_reach_one()
    {
        Assert.Equal(0.0, Philox.Uniform(0u));
        Assert.Equal(0.0, Philox.Uniform(0ul));
        Assert.Equal(0.5, Philox.Uniform(1u << 31));
        Assert.Equal(0.5, Philox.Uniform(1ul << 63));
        Assert.Equal(1 - Math.Pow(2, -32), Philox.Uniform(uint.MaxValue));
        Assert.Equal(1 - Math.Pow(2, -53), Philox.Uniform(ulong.MaxValue));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(37)]
    public void Bounded_integers_are_uniform(int bound)
    {
        const int draws = 100_000;
        var counts = new int[bound];
        for (ulong n = 0; n < draws; n++) counts[Philox.Below((ulong)bound, 7, n, 3)]++;
        Statistics.AssertUniform(counts);
    }

    [Fact]
    public void Bounded_integers_are_uniform_where_a_plain_product_or_remainder_would_be_biased()
    {
        // With the bound 3/4 of 2^64, either shortcut sends two of the four quarters of the 64-bit words to a third of the range each, and
        // one third (remainder) or every third value (product) gets twice its share.
        const ulong bound = 3ul << 62;
        var thirds = new int[3];
        var residues = new int[3];
        for (ulong n = 0; n < 60_000; n++)
        {
            var value = Philox.Below(bound, 11, n, 0);
            thirds[value >> 62]++;
            residues[value % 3]++;
        }
        Statistics.AssertUniform(thirds);
        Statistics.AssertUniform(residues);
        Assert.Throws<ArgumentOutOfRangeException>(() => Philox.Below(0, 1, 2, 3));
    }

    [Fact]
    public void Keys_of_different_seeds_and_purposes_differ()
    {
        string[] purposes = ["a", "b", "ab", ""];
        var keys = from seed in Enumerable.Range(0, 100) from purpose in purposes select Philox.Key((ulong)seed, purpose);
        Assert.Equal(400, keys.Distinct().Count());
        Assert.Equal(Philox.Key(5, "a"), Philox.Key(5, "a"));
    }
}
