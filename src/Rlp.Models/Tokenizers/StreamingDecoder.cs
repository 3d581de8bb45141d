using System.Buffers;
using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// Decodes a sequence token by token. A character comes out when its last byte has come in; what comes out altogether is what
/// <see cref="ITokenizer.Decode"/> gives for the whole sequence.
/// </summary>
public sealed class StreamingDecoder(ITokenizer tokenizer)
{
    private readonly System.Text.Decoder utf8 = Encoding.UTF8.GetDecoder(); // keeps the bytes of an incomplete character
    private int previous = -1;

    /// <summary>The text that this token completes, often empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not an id of the vocabulary.</exception>
    public string Next(int token)
    {
        var bytes = tokenizer.Bytes(token, previous);
        previous = token;
        return Characters(bytes, flush: false);
    }

    /// <summary>
    /// Ends the sequence: U+FFFD where its last character is incomplete, empty otherwise. The next token begins a new sequence.
    /// </summary>
    public string Flush()
    {
        previous = -1;
        return Characters([], flush: true);
    }

    private string Characters(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[utf8.GetCharCount(bytes, flush)];
        return new string(characters, 0, utf8.GetChars(bytes, characters, flush));
    }

    internal static string Decode(ITokenizer tokenizer, ReadOnlySpan<int> tokens)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, tokens.Length * 4));
        var previous = -1;
        foreach (var token in tokens)
        {
            bytes.Write(tokenizer.Bytes(token, previous));
            previous = token;
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}
