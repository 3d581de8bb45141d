namespace Rlp.Evaluation.Tests;

public sealed class MovingAverageTests
{
    [Fact]
    public void A_straight_line_stays_where_it_is_away_from_its_ends()
    {
        var line = Enumerable.Range(0, 30).Select(i => 3.0 - .5 * i).ToArray();
        Assert.All(MovingAverage.Of(line, 7).Zip(line).Skip(3).SkipLast(3), p => Assert.Equal(p.Second, p.First, 12));
    }

    [Fact]
    public void A_point_is_the_mean_of_its_neighbours_as_far_as_there_are_any() =>
        Assert.Equal([6, 4, 1, 0, 3, 4.5], MovingAverage.Of([9, 3, 0, 0, 0, 9], 3));

    [Fact]
    public void A_window_has_a_middle_and_short_series_are_not_smoothed()
    {
        Assert.All(Enumerable.Range(0, 3000), n => Assert.Equal(1, MovingAverage.WindowFor(n) % 2));
        Assert.Equal(1, MovingAverage.WindowFor(59));
        Assert.Equal(51, MovingAverage.WindowFor(100_000));
        Assert.Throws<ArgumentException>(() => MovingAverage.Of([1], 2));
    }
}
