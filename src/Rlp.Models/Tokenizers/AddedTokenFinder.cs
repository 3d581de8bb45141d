using System.Buffers;
using System.Globalization;
using System.Text;

namespace Rlp.Models.Tokenizers;

/// <summary>Finds added tokens in a text: from left to right, the longest one where several begin, as the reference library does.</summary>
internal sealed class AddedTokenFinder
{
    private readonly SearchValues<string> contents;
    private readonly Dictionary<char, (string Content, AddedToken Token)[]> byFirst;

    /// <param name="tokens">What to look for, and which token it stands for; not empty.</param>
    /// <param name="source">The file, for messages.</param>
    /// <exception cref="ModelFormatException">
    /// A token could begin in the white space that another one takes; there the reference library fails, too.
    /// </exception>
    public AddedTokenFinder(IEnumerable<(string Content, AddedToken Token)> tokens, string source)
    {
        var distinct = tokens.DistinctBy(t => t.Content).ToList();
        if (distinct.Find(t => t.Token.RightStrip).Token is { } stripping
            && distinct.Find(t => char.IsWhiteSpace(t.Content[0])).Token is { } blank)
            throw new ModelFormatException(
                $"{source}: added token '{stripping.Content}' (rstrip) takes the white space after it, "
                + $"where '{blank.Content}' could begin; that is not supported");
        contents = SearchValues.Create([.. distinct.Select(t => t.Content)], StringComparison.Ordinal);
        byFirst = distinct.GroupBy(t => t.Content[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(t => t.Content.Length).ToArray());
    }

    /// <summary>A part of a text: plain text, or an added token.</summary>
    public readonly record struct Part(int Begin, int End, AddedToken? Token);

    /// <summary>The parts of a text in order; none is empty plain text.</summary>
    public List<Part> Find(ReadOnlySpan<char> text)
    {
        var parts = new List<Part>();
        int taken = 0, searched = 0;
        while (text[searched..].IndexOfAny(contents) is >= 0 and var ahead)
        {
            var begin = searched + ahead;
            var token = LongestAt(text[begin..], out var length);
            var end = searched = begin + length;
            if (token.SingleWord && (EndsWithWord(text[..begin]) || BeginsWithWord(text[end..]))) continue;
            if (token.LeftStrip) begin = Math.Max(taken, text[..begin].TrimEnd().Length);
            if (token.RightStrip) end = text.Length - text[end..].TrimStart().Length;
            if (begin > taken) parts.Add(new Part(taken, begin, null));
            parts.Add(new Part(begin, end, token));
            taken = end;
        }
        if (taken < text.Length) parts.Add(new Part(taken, text.Length, null));
        return parts;
    }

    private AddedToken LongestAt(ReadOnlySpan<char> text, out int length)
    {
        foreach (var (content, token) in byFirst[text[0]])
        {
            if (!text.StartsWith(content)) continue;
            length = content.Length;
            return token;
        }
        throw new InvalidOperationException("the search found a text that is none of the added tokens"); // unreachable
    }

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var last, out _) == OperationStatus.Done && IsWord(last);

    private static bool BeginsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var first, out _) == OperationStatus.Done && IsWord(first);

    /// <summary>\w of Unicode Technical Standard 18: alphabetic, marks, decimal digits, connectors, joiners.</summary>
    private static bool IsWord(Rune rune) => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9)
        or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189)
        || Rune.IsLetter(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber
            or UnicodeCategory.ConnectorPunctuation;
}
