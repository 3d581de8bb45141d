using Rlp.Training.Weights;

namespace Rlp.Training.Tests;

public sealed class WeightHistoryTests : IDisposable
{
    private readonly TinyPolicy live = new(trainable: false);

    public void Dispose() => live.Dispose();

    /// <summary>The versions from 0 to <paramref name="last"/>, each of other weights.</summary>
    private List<string> Take(WeightHistory history, int last) => [.. Enumerable.Range(0, last + 1).Select(version =>
    {
        live.Decoder.Initialize(version + 1);
        history.Take(version, live.Parameters);
        return live.Parameters.Sha256();
    })];

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_last_versions_stay_as_they_were_taken_while_the_live_weights_change(int staleness)
    {
        using var history = new WeightHistory(live.Parameters, staleness);
        var taken = Take(history, 6);
        Assert.Equal(7, taken.Distinct().Count());
        for (var version = 6 - staleness; version <= 6; version++)
            Assert.Equal(taken[version], history.At(version).Sha256());
    }

    [Fact]
    public void A_version_that_is_overwritten_not_there_yet_or_half_filled_is_refused_with_those_that_are_held()
    {
        using var history = new WeightHistory(live.Parameters, staleness: 1);
        Take(history, 2);
        Assert.Contains("policy version 0 is not held; held are 1, 2", Assert.Throws<InvalidOperationException>(() => history.At(0)).Message);
        Assert.Throws<InvalidOperationException>(() => history.At(3));
        history.Fill(3, _ => Assert.Throws<InvalidOperationException>(() => history.At(1)));
        Assert.NotNull(history.At(3));
    }
}
