using System.Security.Cryptography;
using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>One token per UTF-8 byte (ids 0 to 255), then padding, begin-of-thought and end-of-thought. Encodes every text.</summary>
public sealed class ByteTokenizer : ITokenizer
{
    private readonly string beginMarker;
    private readonly string endMarker;
    private readonly byte[][] bytes;

    /// <exception cref="ArgumentException">A marker is empty, or both are the same.</exception>
    public ByteTokenizer(string beginMarker = "<think>", string endMarker = "</think>")
    {
        if (beginMarker.Length == 0 || endMarker.Length == 0 || beginMarker == endMarker)
            throw new ArgumentException(
                $"the thought markers must be two different texts, found '{beginMarker}' and '{endMarker}'", nameof(beginMarker));
        (this.beginMarker, this.endMarker) = (beginMarker, endMarker);
        bytes =
        [
            .. Enumerable.Range(0, 256).Select(value => new[] { (byte)value }),
            [], Encoding.UTF8.GetBytes(beginMarker), Encoding.UTF8.GetBytes(endMarker),
        ];
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"bytes\0{beginMarker}\0{endMarker}")));
    }

    public int VocabularySize => 259;

    public int Padding => 256;

    public int BeginThought => 257;

    public int EndThought => 258;

    public string Fingerprint { get; }

    public int[] Encode(string text)
    {
        var tokens = new List<int>(text.Length);
        for (var at = 0; at < text.Length;)
        {
            var begin = text.IndexOf(beginMarker, at, StringComparison.Ordinal);
            var end = text.IndexOf(endMarker, at, StringComparison.Ordinal);
            var next = begin < 0 ? end : end < 0 ? begin : Math.Min(begin, end);
            foreach (var value in Encoding.UTF8.GetBytes(text[at..(next < 0 ? text.Length : next)])) tokens.Add(value);
            if (next < 0) break;
            tokens.Add(next == begin ? BeginThought : EndThought);
            at = next + (next == begin ? beginMarker : endMarker).Length;
        }
        return [.. tokens];
    }

    /// <summary>Padding adds nothing.</summary>
    public ReadOnlySpan<byte> Bytes(int token, int previous) =>
        token >= 0 && token < VocabularySize
            ? bytes[token]
            : throw new ArgumentOutOfRangeException(nameof(token), token, $"token ids are 0 to {VocabularySize - 1}");

    public string Decode(ReadOnlySpan<int> tokens) => StreamingDecoder.Decode(this, tokens);
}
