using System.Globalization;
using System.Text.RegularExpressions;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// Which tokens stand for the two thought markers. A marker whose text is a token of the vocabulary is that token. Otherwise it takes a
/// spare token, one that the vocabulary reserves by name (&lt;|reserved_special_token_7|&gt;, [unused7], &lt;SPECIAL_7&gt;, ...): the ones
/// with the highest numbers, because models put the low ones to use first. A vocabulary without spare tokens needs markers that it has.
/// </summary>
internal sealed partial record ThoughtMarkerTokens(int Begin, int End)
{
    /// <summary>Of a vocabulary that is used as it is, for text alone.</summary>
    public static readonly ThoughtMarkerTokens None = new(-1, -1);

    /// <param name="find">The token of a text, null where it is none.</param>
    /// <param name="names">All tokens by name.</param>
    /// <param name="example">A pair of marker texts that the vocabulary has, for the message.</param>
    /// <exception cref="ModelFormatException">A marker is no token and no spare one is left.</exception>
    public static ThoughtMarkerTokens Resolve(
        string begin, string end, Func<string, int?> find, IEnumerable<(string Name, int Id)> names, string source, string example)
    {
        if (begin.Length == 0 || end.Length == 0 || begin == end)
            throw new ModelFormatException(
                $"{source}: the thought markers must be two different texts, found '{begin}' and '{end}'; "
                + "set thought.begin and thought.end");
        int? first = find(begin), second = find(end);
        if (first is { } b && second is { } e)
            return b != e
                ? new ThoughtMarkerTokens(b, e)
                : throw new ModelFormatException(
                    $"{source}: '{begin}' and '{end}' are the same token {b}; set thought.begin and thought.end to two different ones");
        var spare = new Queue<int>(names.Select(n => (n.Id, Match: Spare().Match(n.Name)))
            .Where(n => n.Match.Success && n.Id != first && n.Id != second)
            .OrderByDescending(n => long.Parse(n.Match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)).Select(n => n.Id));
        if (spare.Count < (first is null ? 1 : 0) + (second is null ? 1 : 0))
            throw new ModelFormatException(
                $"{source}: the vocabulary has no token '{(first is null ? begin : end)}' and no spare one for it; "
                + $"set thought.begin and thought.end to tokens that it has, for example {example}");
        var endToken = second ?? spare.Dequeue();
        return new ThoughtMarkerTokens(first ?? spare.Dequeue(), endToken);
    }

    [GeneratedRegex(
        @"^(?:<\|?|\[|>>)"
        + "(?:reserved_special_token|reserved_token|reserved|unused_token|unused|placeholder|special|extra|dummy)"
        + @"_?(\d{1,9})(?:\|?>|\]|<<)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Spare();
}
