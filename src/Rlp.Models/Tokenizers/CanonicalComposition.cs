using System.Buffers;
using System.Globalization;
using System.Text;
using ADRaffy.ENSNormalize;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// Unicode normalization form C (Unicode Standard Annex 15) as the reference library does it. <see cref="string.Normalize()"/> cannot:
/// without ICU (InvariantGlobalization) it returns its input.
/// </summary>
internal static class CanonicalComposition
{
    /// <summary>
    /// Combining marks, and parts and results of compositions, that are newer than the reference library's tables (it composes by a Unicode
    /// older than 10). To it they are inert: they neither move nor compose.
    /// </summary>
    private static readonly (int First, int Last)[] Inert =
    [
        (0x7FD, 0x7FD), (0x897, 0x89F), (0x8CA, 0x8D3), (0x9FE, 0x9FE), (0xC3C, 0xC3C), (0xD3B, 0xD3C), (0xEBA, 0xEBA), (0x1715, 0x1715),
        (0x1ABF, 0x1ADD), (0x1AE0, 0x1AEB), (0x1DF6, 0x1DFA), (0xA82C, 0xA82C), (0x105C9, 0x105C9), (0x105D2, 0x105D2), (0x105DA, 0x105DA),
        (0x105E4, 0x105E4), (0x10D24, 0x10D27), (0x10D69, 0x10D6D), (0x10EAB, 0x10EAC), (0x10EFA, 0x10EFB), (0x10EFD, 0x10EFF),
        (0x10F46, 0x10F50), (0x10F82, 0x10F85), (0x11070, 0x11070), (0x1133B, 0x1133B), (0x11382, 0x11385), (0x1138B, 0x1138B),
        (0x1138E, 0x1138E), (0x11390, 0x11391), (0x113B8, 0x113B8), (0x113BB, 0x113BB), (0x113C2, 0x113C2), (0x113C5, 0x113C5),
        (0x113C7, 0x113C9), (0x113CE, 0x113D0), (0x1145E, 0x1145E), (0x11839, 0x1183A), (0x11930, 0x11930), (0x11935, 0x11935),
        (0x11938, 0x11938), (0x1193D, 0x1193E), (0x11943, 0x11943), (0x119E0, 0x119E0), (0x11A34, 0x11A34), (0x11A47, 0x11A47),
        (0x11A99, 0x11A99), (0x11D42, 0x11D42), (0x11D44, 0x11D45), (0x11D97, 0x11D97), (0x11F41, 0x11F42), (0x1611E, 0x16129),
        (0x1612F, 0x1612F), (0x16D63, 0x16D63), (0x16D67, 0x16D6A), (0x16FF0, 0x16FF1), (0x1E08F, 0x1E08F), (0x1E130, 0x1E136),
        (0x1E2AE, 0x1E2AE), (0x1E2EC, 0x1E2EF), (0x1E4EC, 0x1E4EF), (0x1E5EE, 0x1E5EF), (0x1E6E3, 0x1E6E3), (0x1E6E6, 0x1E6E6),
        (0x1E6EE, 0x1E6EF), (0x1E6F5, 0x1E6F5),
    ];

    private static readonly SearchValues<char> StableCharacters =
        SearchValues.Create(
            [.. Enumerable.Range(0, 0x10000).Select(c => (char)c).Where(c => Rune.TryCreate(c, out var rune) && Find(rune) == Kind.Stable)]);

    private enum Kind
    {
        /// <summary>Stays as it is and joins no character before it; later ones may join it.</summary>
        Stable,

        /// <summary>Decomposes, moves, or joins a character before it.</summary>
        Unstable,

        Inert,
    }

    /// <summary>A well-formed text in form C; the same instance where it already is.</summary>
    public static string Normalize(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', '\u02FF')) return text;
        var result = new StringBuilder(text.Length);
        int copied = 0, scanned = 0;
        while (text.AsSpan(scanned).IndexOfAnyExcept(StableCharacters) is >= 0 and var ahead)
        {
            int first = scanned + ahead, end = first;
            while (end < text.Length && Rune.GetRuneAt(text, end) is var rune && Find(rune) == Kind.Unstable)
                end += rune.Utf16SequenceLength;
            if (end == first)
            {
                scanned = first + Rune.GetRuneAt(text, first).Utf16SequenceLength;
                continue;
            }
            var begin = first; // the stable character before the unstable ones takes part
            if (first > copied && Rune.DecodeLastFromUtf16(text.AsSpan(0, first), out var before, out var length) == OperationStatus.Done
                && Find(before) == Kind.Stable)
                begin = first - length;
            result.Append(text.AsSpan(copied, begin - copied)).Append(ENSNormalize.NF.NFC(text[begin..end]));
            copied = scanned = end;
        }
        return copied == 0 ? text : result.Append(text.AsSpan(copied)).ToString();
    }

    private static Kind Find(Rune rune)
    {
        switch (rune.Value)
        {
            case < 0x300: return Kind.Stable;
            case (>= 0x1161 and <= 0x1175) or (>= 0x11A8 and <= 0x11C2): return Kind.Unstable; // vowels and finals of Hangul
            case (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF): return Kind.Stable; // ideographs
            case (>= 0xAC00 and <= 0xD7A3) or (>= 0xE000 and <= 0xF8FF): return Kind.Stable; // syllables of Hangul, private use
            case (>= 0x1F000 and <= 0x1FAFF) or (>= 0x20000 and <= 0x2F7FF) or >= 0x30000: return Kind.Stable;
        }
        if (IsInert(rune.Value)) return Kind.Inert;
        if (Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark)
            return Kind.Unstable;
        var alone = rune.ToString();
        return ENSNormalize.NF.NFC(alone) == alone ? Kind.Stable : Kind.Unstable;
    }

    private static bool IsInert(int codePoint)
    {
        int low = 0, high = Inert.Length - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (codePoint < Inert[middle].First) high = middle - 1;
            else if (codePoint > Inert[middle].Last) low = middle + 1;
            else return true;
        }
        return false;
    }
}
