using Rlp.Models.Tokenizers;
using Rlp.Training.Sampling;

namespace Rlp.Training.Tests;

public sealed class SamplingMasksTests
{
    [Theory]
    [InlineData(0, "0 3 7")] // padding is 5, the begin marker 1, the end marker 4; 2 and 6 are holes
    [InlineData(1, "0 3 4 7")]
    [InlineData(2, "4")]
    public void Only_tokens_of_the_vocabulary_may_be_sampled(int row, string allowed)
    {
        using var masks = new SamplingMasks(new HoleyTokenizer(padding: 5), modelVocabularySize: 12);
        Assert.Equal(allowed, Allowed(masks, row));
    }

    [Fact]
    public void Padding_that_is_the_end_marker_may_be_sampled_as_one()
    {
        using var masks = new SamplingMasks(new HoleyTokenizer(padding: 4), modelVocabularySize: 8);
        Assert.Equal("0 3 5 7", Allowed(masks, SamplingMasks.First));
        Assert.Equal("0 3 4 5 7", Allowed(masks, SamplingMasks.Middle));
        Assert.Equal("4", Allowed(masks, SamplingMasks.Forced));
    }

    [Fact]
    public void A_model_with_fewer_rows_than_tokens_is_refused() =>
        Assert.Contains(
            "the model has a vocabulary of 7, the tokenizer one of 8",
            Assert.Throws<ArgumentException>(() => new SamplingMasks(new HoleyTokenizer(padding: 5), modelVocabularySize: 7)).Message);

    [Fact]
    public void Thoughts_hold_no_rows_of_the_model_that_are_no_tokens()
    {
        using var policy = new TinyPolicy(spareRows: 500);
        using var sampler = new ThoughtSampler(policy.Decoder, policy.Tokenizer, seed: 1, new SamplingSettings { Temperature = 2.0, MaxThoughtTokens = 5 });

        var thoughts = sampler.Sample(1, policy.Positions("1+2="), 200)[0].Thoughts;

        Assert.All(thoughts, t => Assert.All(t.Tokens, id => Assert.InRange(id, 0, policy.Tokenizer.VocabularySize - 1)));
        Assert.True(thoughts.SelectMany(t => t.Tokens).Distinct().Count() > 10, "most tokens should occur in 200 thoughts");
    }

    private static string Allowed(SamplingMasks masks, int row)
    {
        using var mask = masks.Row(row);
        var values = mask.data<float>().ToArray();
        Assert.All(values, v => Assert.True(v is 0f or float.NegativeInfinity));
        return string.Join(' ', Enumerable.Range(0, values.Length).Where(v => values[v] == 0f));
    }

    /// <summary>Eight ids, of which 2 and 6 are no token.</summary>
    private sealed class HoleyTokenizer(int padding) : ITokenizer
    {
        public int VocabularySize => 8;

        public int Padding => padding;

        public int BeginThought => 1;

        public int EndThought => 4;

        public string Fingerprint => "";

        public bool Holds(int token) => token is 0 or 1 or 3 or 4 or 5 or 7;

        public int[] Encode(string text) => [];

        public ReadOnlySpan<byte> Bytes(int token, int previous) => [];
    }
}
