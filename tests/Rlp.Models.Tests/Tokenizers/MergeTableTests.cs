using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

public sealed class MergeTableTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Short_and_long_words_merge_as_the_definition_says(int seed)
    {
        // Random merges over four symbols; a rank may belong to several pairs, as in score-driven vocabularies.
        var random = new Random(seed);
        var merges = new Dictionary<(int, int), (int Rank, int Id)>();
        var table = new MergeTable(0);
        for (var id = 4; id < 60; id++)
        {
            (int, int) pair = (random.Next(id), random.Next(id));
            merges[pair] = (random.Next(20), id);
            table.Set(pair.Item1, pair.Item2, merges[pair].Rank, id);
        }
        var merged = 0;
        foreach (var length in Enumerable.Range(0, 120))
        {
            int[] symbols = [.. Enumerable.Range(0, length).Select(_ => random.Next(4))];
            var expected = ByDefinition(symbols, merges);
            var count = table.Merge(symbols);
            Assert.Equal(expected, symbols[..count]);
            merged += length - count;
        }
        Assert.True(merged > 500, $"only {merged} merges took place");
    }

    private static List<int> ByDefinition(int[] symbols, Dictionary<(int, int), (int Rank, int Id)> merges)
    {
        var rest = symbols.ToList();
        while (true)
        {
            var pairs = Enumerable.Range(0, Math.Max(0, rest.Count - 1)).Where(i => merges.ContainsKey((rest[i], rest[i + 1]))).ToList();
            if (pairs.Count == 0) return rest;
            var best = pairs.OrderBy(i => merges[(rest[i], rest[i + 1])].Rank).ThenBy(i => i).First();
            rest[best] = merges[(rest[best], rest[best + 1])].Id;
            rest.RemoveAt(best + 1);
        }
    }
}
