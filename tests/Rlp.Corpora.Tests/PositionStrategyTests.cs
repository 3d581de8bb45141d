namespace Rlp.Corpora.Tests;

public sealed class PositionStrategyTests
{
    [Fact]
    public void The_last_position_is_literally_the_last_token()
    {
        Assert.Equal([2], new LastPosition().Choose([5, 6, 10], 0));
        Assert.Equal([1], new LastPosition().Choose([5, 6], 0));
        Assert.Empty(new LastPosition().Choose([5], 0));
        Assert.Empty(new LastPosition().Choose([], 0));
    }

    [Fact]
    public void Uniform_positions_cover_every_token_but_the_first_equally()
    {
        var strategy = new UniformPosition(3);
        var counts = new int[7];
        for (var document = 0; document < 10_000; document++) counts[Assert.Single(strategy.Choose(new int[7], document))]++;
        Assert.Equal(0, counts[0]);
        Statistics.AssertUniform(counts[1..]);
        Assert.Equal(strategy.Choose(new int[100], 5), new UniformPosition(3).Choose(new int[100], 5));
        var other = new UniformPosition(4);
        Assert.Contains(Enumerable.Range(0, 20), i => strategy.Choose(new int[100], i)[0] != other.Choose(new int[100], i)[0]);
        Assert.Empty(strategy.Choose([1], 0));
    }

    [Fact]
    public void Every_kth_position_is_each_multiple_within_the_document()
    {
        for (var k = 1; k < 9; k++)
            for (var length = 0; length < 20; length++)
            {
                var multiples = Enumerable.Range(1, 20).Where(t => t % k == 0 && t < length);
                Assert.Equal(multiples, new EveryKthPosition(k).Choose(new int[length], 0));
            }
        Assert.Throws<ArgumentOutOfRangeException>(() => new EveryKthPosition(0));
    }

    [Fact]
    public void Marker_positions_are_those_where_the_marker_stands_just_before()
    {
        // Every document of up to 8 tokens over two symbols, against the definition.
        foreach (var marker in new int[][] { [1], [0, 1], [1, 1], [0, 1, 0] })
            for (var length = 0; length <= 8; length++)
                for (var bits = 0; bits < 1 << length; bits++)
                {
                    int[] tokens = [.. Enumerable.Range(0, length).Select(i => bits >> i & 1)];
                    var follows = (int t) => t >= marker.Length && tokens[(t - marker.Length)..t].SequenceEqual(marker);
                    Assert.Equal(Enumerable.Range(1, 8).Where(t => t < length && follows(t)), new MarkerPosition(marker).Choose(tokens, 0));
                }
        Assert.Throws<ArgumentException>(() => new MarkerPosition([]));
    }
}
