using System.Globalization;
using Rlp.Models.Tokenizers;

namespace Rlp.Training.Measurement;

/// <summary>
/// Token ids without texts, for measurements on any model: the last three rows are padding, begin and end of a thought. No text has the end
/// marker, so that nothing but the length limit ends a thought.
/// </summary>
public sealed class BareVocabulary : ITokenizer
{
    /// <exception cref="ArgumentException">The model has no row for a token beside the three.</exception>
    public BareVocabulary(int rows)
    {
        if (rows < 4) throw new ArgumentException($"a vocabulary of {rows} has no room for padding, two markers and a token", nameof(rows));
        VocabularySize = rows;
    }

    public int VocabularySize { get; }

    public int Padding => VocabularySize - 3;

    public int BeginThought => VocabularySize - 2;

    public int EndThought => VocabularySize - 1;

    /// <summary>Ordinary tokens: ids 0 up to here.</summary>
    public int Ordinary => VocabularySize - 3;

    public string Fingerprint => string.Create(CultureInfo.InvariantCulture, $"bare-{VocabularySize}");

    public bool Holds(int token) => token >= 0 && token < EndThought;

    public int[] Encode(string text) => throw new NotSupportedException("a bare vocabulary has no texts");

    public ReadOnlySpan<byte> Bytes(int token, int previous) => throw new NotSupportedException("a bare vocabulary has no texts");

    /// <summary>Documents of random ordinary tokens; a function of the seed alone.</summary>
    public int[][] Documents(int count, int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(Ordinary)).ToArray())];
    }
}
