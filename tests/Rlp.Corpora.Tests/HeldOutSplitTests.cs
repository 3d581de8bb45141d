namespace Rlp.Corpora.Tests;

public sealed class HeldOutSplitTests
{
    private static readonly string[] Keys = [.. Enumerable.Range(0, 20_000).Select(i => $"problem {i}")];

    [Theory]
    [InlineData(0.02)]
    [InlineData(0.1)]
    [InlineData(0.5)]
    public void The_share_of_held_out_keys_is_the_fraction(double fraction) =>
        Statistics.AssertShare(fraction, Keys.Count(new HeldOutSplit(fraction).IsHeldOut), Keys.Length);

    [Fact]
    public void Nothing_is_held_out_at_zero_and_a_larger_fraction_holds_out_all_that_a_smaller_one_does()
    {
        Assert.DoesNotContain(Keys, new HeldOutSplit(0).IsHeldOut);
        Assert.All(Keys.Where(new HeldOutSplit(0.1).IsHeldOut), key => Assert.True(new HeldOutSplit(0.2).IsHeldOut(key)));
    }

    [Fact]
    public void Another_salt_holds_out_independent_keys()
    {
        HeldOutSplit one = new(0.5, "one"), two = new(0.5, "two");
        Statistics.AssertShare(0.25, Keys.Count(key => one.IsHeldOut(key) && two.IsHeldOut(key)), Keys.Length);
        Assert.Equal(Keys.Where(one.IsHeldOut), Keys.Where(new HeldOutSplit(0.5, "one").IsHeldOut));
    }

    [Fact]
    public void The_held_out_keys_are_the_same_ones_in_every_version() =>
        Assert.Equal([18, 38], Enumerable.Range(0, 40).Where(i => new HeldOutSplit(0.1).IsHeldOut(Keys[i])));

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.0)]
    [InlineData(double.NaN)]
    public void A_fraction_outside_zero_to_one_is_refused(double fraction) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new HeldOutSplit(fraction));
}
