using Rlp.Models.Tokenizers;

namespace Rlp.Benchmarks;

/// <summary>
/// Token ids without text; the last three are padding, begin and end of a thought. The end is no token that may be sampled, so that every
/// thought is exactly as long as its limit, at which it is forced.
/// </summary>
internal sealed class IdTokenizer(int vocabularySize) : ITokenizer
{
    public int VocabularySize => vocabularySize;

    public int Padding => vocabularySize - 3;

    public int BeginThought => vocabularySize - 2;

    public int EndThought => vocabularySize - 1;

    public string Fingerprint => $"ids-{vocabularySize}";

    public bool Holds(int token) => token >= 0 && token < EndThought;

    public int[] Encode(string text) => throw new NotSupportedException("these ids have no text");

    public ReadOnlySpan<byte> Bytes(int token, int previous) => throw new NotSupportedException("these ids have no text");
}
