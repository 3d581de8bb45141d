namespace Rlp.Objective.Tests;

public sealed class ThoughtWeightsTests
{
    [Fact]
    public void Average_inside_each_thought_first_and_over_thoughts_then()
    {
        // Losses 1 in a thought of one token, 0 in a thought of nine: the mean over thoughts is 1/2, over tokens it would be 1/10.
        int[] lengths = [1, 9];
        float[] weights = [.. ThoughtWeights.PerThought(lengths).SelectMany((weight, i) => Enumerable.Repeat(weight, lengths[i]))]; // of each token

        Assert.Equal(0.5, weights[0], 1e-7);
        Assert.All(weights.Skip(1), w => Assert.Equal(0.5 / 9, w, 1e-7));
        Assert.Equal(1.0, weights.Sum(w => (double)w), 1e-6);
    }

    [Fact]
    public void Refuse_an_empty_thought()
    {
        var error = Assert.Throws<ArgumentException>(() => ThoughtWeights.PerThought([3, 0]));
        Assert.Contains("thought 1 is empty", error.Message);
    }
}
