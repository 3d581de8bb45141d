using System.Security.Cryptography;
using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>One token per character of a fixed alphabet, then padding, begin-of-thought and end-of-thought.</summary>
public sealed class CharacterTokenizer : ITokenizer
{
    private readonly Rune[] alphabet;
    private readonly Dictionary<Rune, int> ids = [];
    private readonly string beginMarker;
    private readonly string endMarker;
    private readonly byte[][] bytes;

    /// <exception cref="ArgumentException">The alphabet is empty or holds a character twice, or a marker is empty.</exception>
    public CharacterTokenizer(string characters, string beginMarker = "<think>", string endMarker = "</think>")
    {
        if (characters.Length == 0) throw new ArgumentException("the alphabet of a character tokenizer is empty", nameof(characters));
        if (beginMarker.Length == 0 || endMarker.Length == 0 || beginMarker == endMarker)
            throw new ArgumentException(
                $"the thought markers must be two different texts, found '{beginMarker}' and '{endMarker}'", nameof(beginMarker));
        alphabet = [.. characters.EnumerateRunes()];
        foreach (var rune in alphabet)
            if (!ids.TryAdd(rune, ids.Count))
                throw new ArgumentException($"the character '{rune}' is in the alphabet twice", nameof(characters));
        (this.beginMarker, this.endMarker) = (beginMarker, endMarker);
        bytes =
        [
            .. alphabet.Select(rune => Encoding.UTF8.GetBytes(rune.ToString())),
            [], Encoding.UTF8.GetBytes(beginMarker), Encoding.UTF8.GetBytes(endMarker),
        ];
        Fingerprint = Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes($"characters\0{characters}\0{beginMarker}\0{endMarker}")));
    }

    public int VocabularySize => alphabet.Length + 3;

    public int Padding => alphabet.Length;

    public int BeginThought => alphabet.Length + 1;

    public int EndThought => alphabet.Length + 2;

    public string Fingerprint { get; }

    public int[] Encode(string text)
    {
        var tokens = new List<int>(text.Length);
        for (var at = 0; at < text.Length;)
        {
            if (ThoughtMarkerAt(text, at, out var marker, out var length))
            {
                tokens.Add(marker);
                at += length;
                continue;
            }
            if (!Rune.TryGetRuneAt(text, at, out var rune) || !ids.TryGetValue(rune, out var id))
                throw new FormatException(
                    $"character {Describe(text, at)} at offset {at} is not in the tokenizer's alphabet of {alphabet.Length} characters; "
                    + "add it to tokenizer.characters");
            tokens.Add(id);
            at += rune.Utf16SequenceLength;
        }
        return [.. tokens];
    }

    /// <summary>Padding adds nothing.</summary>
    public ReadOnlySpan<byte> Bytes(int token, int previous) =>
        token >= 0 && token < VocabularySize
            ? bytes[token]
            : throw new ArgumentOutOfRangeException(nameof(token), token, $"token ids are 0 to {VocabularySize - 1}");

    public string Decode(ReadOnlySpan<int> tokens) => StreamingDecoder.Decode(this, tokens);

    private bool ThoughtMarkerAt(string text, int at, out int token, out int length)
    {
        if (string.CompareOrdinal(text, at, beginMarker, 0, beginMarker.Length) == 0) (token, length) = (BeginThought, beginMarker.Length);
        else if (string.CompareOrdinal(text, at, endMarker, 0, endMarker.Length) == 0) (token, length) = (EndThought, endMarker.Length);
        else (token, length) = (-1, 0);
        return token >= 0;
    }

    private static string Describe(string text, int at) =>
        char.IsControl(text[at]) || char.IsSurrogate(text[at]) ? $"U+{(int)text[at]:X4}" : $"'{text[at]}'";
}
