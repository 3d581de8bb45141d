namespace Rlp.Models.Tokenizers;

/// <summary>Text to token ids and back. Thought markers in the text are recognised as the single tokens they are.</summary>
public interface ITokenizer
{
    int VocabularySize { get; }

    /// <summary>Id of the padding token: never sampled, never part of a text.</summary>
    int Padding { get; }

    int BeginThought { get; }

    int EndThought { get; }

    /// <summary>Lower-case hexadecimal SHA-256 over everything that decides the ids; a checkpoint holds it.</summary>
    string Fingerprint { get; }

    /// <exception cref="FormatException">A character outside the vocabulary; the message names it and its place.</exception>
    int[] Encode(string text);

    string Decode(ReadOnlySpan<int> tokens);
}
