namespace Rlp.Corpora.Tests;

public sealed class DeterministicShuffleTests
{
    private static long[] Epoch(DeterministicShuffle shuffle, int count, long epoch) =>
        [.. Enumerable.Range(0, count).Select(position => shuffle.Map(epoch, position))];

    [Fact]
    public void Every_epoch_is_a_permutation_for_every_small_count()
    {
        for (var count = 1; count <= 300; count++)
            for (var epoch = 0; epoch < 3; epoch++)
            {
                var elements = Epoch(new DeterministicShuffle(count, 5), count, epoch);
                Assert.Equal(Enumerable.Range(0, count).Select(i => (long)i), elements.Order());
            }
    }

    [Fact]
    public void Epochs_and_seeds_have_orders_of_their_own()
    {
        var shuffle = new DeterministicShuffle(1000, 1);
        long[][] orders = [Epoch(shuffle, 1000, 0), Epoch(shuffle, 1000, 1), Epoch(new DeterministicShuffle(1000, 2), 1000, 0)];
        for (var a = 0; a < orders.Length; a++)
            for (var b = 0; b < a; b++)
                Assert.InRange(orders[a].Zip(orders[b]).Count(pair => pair.First == pair.Second), 0, 10); // 1 is expected by chance
        Assert.Equal(orders[0], Epoch(new DeterministicShuffle(1000, 1), 1000, 0));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Each_order_of_few_elements_is_as_likely(int count)
    {
        var shuffle = new DeterministicShuffle(count, 9);
        var orders = Enumerable.Range(0, 200 * count * count * count).GroupBy(epoch => string.Join(' ', Epoch(shuffle, count, epoch)));
        var counts = orders.Select(order => order.Count()).ToList();
        Assert.Equal(Enumerable.Range(1, count).Aggregate(1, (product, i) => product * i), counts.Count);
        Statistics.AssertUniform(counts);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(16)]
    [InlineData(65)]
    public void Each_element_stands_at_each_position_equally_often_and_after_each_neighbour(int count)
    {
        var shuffle = new DeterministicShuffle(count, 3);
        var places = new int[count * count];
        var differences = new int[count];
        for (var epoch = 0; epoch < 3000; epoch++)
        {
            var order = Epoch(shuffle, count, epoch);
            for (var position = 0; position < count; position++) places[position * count + order[position]]++;
            for (var position = 1; position < count; position++) differences[(order[position] - order[position - 1] + count) % count]++;
        }
        // A permutation per epoch fixes the row and column sums: the chi-square then has (count - 1)^2 degrees of freedom, less than
        // allowed for.
        Statistics.AssertUniform(places);
        Statistics.AssertUniform(differences[1..]);
    }

    [Theory]
    [InlineData(1L << 40)]
    [InlineData((1L << 40) + 1)]
    [InlineData(long.MaxValue)]
    public void Huge_counts_are_shuffled_without_an_index(long count)
    {
        var shuffle = new DeterministicShuffle(count, 4);
        var tenths = new int[10];
        var seen = new HashSet<long>();
        for (var position = 0; position < 10_000; position++)
        {
            var element = shuffle.Map(0, count - 1 - position);
            Assert.InRange(element, 0, count - 1);
            Assert.True(seen.Add(element));
            tenths[(int)((double)element / count * 10)]++;
        }
        Statistics.AssertUniform(tenths);
    }

    [Fact]
    public void Positions_outside_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new DeterministicShuffle(0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DeterministicShuffle(5, 1).Map(0, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DeterministicShuffle(5, 1).Map(0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DeterministicShuffle(5, 1).Map(-1, 0));
    }
}
