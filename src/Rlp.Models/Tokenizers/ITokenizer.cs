namespace Rlp.Models.Tokenizers;

/// <summary>
/// Text to token ids and back. Thought markers in the text are recognised as the single tokens they are. Instances may be used from any
/// thread.
/// </summary>
public interface ITokenizer
{
    /// <summary>The highest id plus one. A model may have more rows than that; no text has their ids and nothing may sample them.</summary>
    int VocabularySize { get; }

    /// <summary>Id of the padding token: never sampled, unless it is also the end marker of thoughts.</summary>
    int Padding { get; }

    int BeginThought { get; }

    int EndThought { get; }

    /// <summary>
    /// The token that the model expects before every document, null where it expects none. <see cref="Encode"/> does not add it.
    /// </summary>
    int? BeginOfText => null;

    /// <summary>The tokens after which a text is complete; empty where the vocabulary has none.</summary>
    IReadOnlyList<int> EndOfText => [];

    /// <summary>Whether a token has this id; a vocabulary may have holes.</summary>
    bool Holds(int token) => token >= 0 && token < VocabularySize;

    /// <summary>Lower-case hexadecimal SHA-256 over everything that decides the ids; a checkpoint holds it.</summary>
    string Fingerprint { get; }

    /// <summary>The ids of a text. No token that the text does not contain is added, neither at the begin nor at the end.</summary>
    /// <exception cref="FormatException">A character outside the vocabulary; the message names it and its place.</exception>
    int[] Encode(string text);

    /// <summary>
    /// The UTF-8 bytes that a token adds to a text, not always whole characters.
    /// </summary>
    /// <param name="previous">The token before it, -1 at the beginning.</param>
    /// <exception cref="ArgumentOutOfRangeException">Not an id of this vocabulary.</exception>
    ReadOnlySpan<byte> Bytes(int token, int previous);

    /// <summary>The text of the tokens, special tokens included. Bytes that are no UTF-8 come out as U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not an id of this vocabulary.</exception>
    string Decode(ReadOnlySpan<int> tokens) => StreamingDecoder.Decode(this, tokens);
}
