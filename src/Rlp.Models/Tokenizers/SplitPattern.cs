using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// A regular expression of a tokenizer.json, written for Oniguruma, run by .NET with the same matches. The two agree on general categories
/// (both Unicode 16) and on white space; .NET sees halves of characters outside the basic plane, so that these are shown to it as a
/// character of the basic plane of the same category. What the expression asks for beyond the supported syntax is refused, never
/// approximated.
/// </summary>
internal sealed class SplitPattern
{
    private static readonly string[] Categories =
    [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cn", "Co",
    ];

    private readonly Regex regex;
    private readonly char[] representatives; // by UnicodeCategory

    private SplitPattern(string translated, List<(char First, char Last)> literals, string source)
    {
        regex = new Regex(translated, RegexOptions.CultureInvariant | RegexOptions.Compiled);
        representatives = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        for (var c = char.MaxValue; c > 0x7F; c--)
            if (!literals.Any(l => c >= l.First && c <= l.Last)) representatives[(int)char.GetUnicodeCategory(c)] = c;
        foreach (var category in Enum.GetValues<UnicodeCategory>())
            if (representatives[(int)category] == '\0' && category != UnicodeCategory.Surrogate && category != UnicodeCategory.Control)
                throw new ModelFormatException(
                    $"{source}: the regular expression '{translated}' names every {category} of the basic plane; that is not supported");
    }

    /// <param name="source">Where the pattern stands, for messages.</param>
    /// <exception cref="ModelFormatException">Syntax that is not supported; the message names it and its place.</exception>
    public static SplitPattern Parse(string pattern, string source)
    {
        var parser = new Parser(pattern, source);
        return new SplitPattern(parser.Translate(), parser.Literals, source);
    }

    /// <summary>The pattern that matches this text and nothing else.</summary>
    /// <exception cref="ModelFormatException">The text has a character outside the basic plane.</exception>
    public static SplitPattern Literal(string text, string source) =>
        Parse(string.Concat(text.Select(c => char.IsAsciiLetterOrDigit(c) ? $"{c}" : $"\\u{(int)c:X4}")), source);

    /// <summary>Cuts a well-formed text: every match is a piece, and what lies before, between and after the matches.</summary>
    public void Split<T>(ReadOnlySpan<char> text, ref T pieces)
        where T : IPieces, allows ref struct
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            var at = 0;
            foreach (var match in regex.EnumerateMatches(text))
            {
                if (match.Index > at) pieces.Add(text[at..match.Index], isMatch: false);
                if (match.Length > 0) pieces.Add(text.Slice(match.Index, match.Length), isMatch: true);
                at = match.Index + match.Length;
            }
            if (at < text.Length) pieces.Add(text[at..], isMatch: false);
            return;
        }
        var shape = new char[text.Length];
        var offsets = new int[text.Length + 1]; // of the characters of the shape in the text
        var count = 0;
        for (var i = 0; i < text.Length; count++)
        {
            offsets[count] = i;
            if (char.IsSurrogate(text[i]))
            {
                shape[count] = representatives[(int)CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(text[i], text[i + 1]))];
                i += 2;
            }
            else
            {
                shape[count] = text[i++];
            }
        }
        offsets[count] = text.Length;
        var from = 0;
        foreach (var match in regex.EnumerateMatches(shape.AsSpan(0, count)))
        {
            int begin = offsets[match.Index], end = offsets[match.Index + match.Length];
            if (begin > from) pieces.Add(text[from..begin], isMatch: false);
            if (end > begin) pieces.Add(text[begin..end], isMatch: true);
            from = end;
        }
        if (from < text.Length) pieces.Add(text[from..], isMatch: false);
    }

    internal interface IPieces
    {
        void Add(ReadOnlySpan<char> piece, bool isMatch);
    }

    /// <summary>
    /// Reads Oniguruma's default (Ruby) syntax: alternatives, groups (plain, ?:, ?i:, ?=, ?!, ?&lt;=, ?&lt;!, ?&gt;), character classes,
    /// general categories, \s \d \r \n \t \v \f \u \x, the dot, $, and the quantifiers * + ? {n} {n,} {n,m} with ? and +.
    /// </summary>
    private sealed class Parser(string pattern, string source)
    {
        private readonly StringBuilder result = new();
        private int at;
        private bool ignoreCase;

        public List<(char First, char Last)> Literals { get; } = [];

        public string Translate()
        {
            Alternatives();
            if (at < pattern.Length) throw Refused("an unmatched ')'");
            return result.ToString();
        }

        private void Alternatives()
        {
            Sequence();
            while (at < pattern.Length && pattern[at] == '|')
            {
                at++;
                result.Append('|');
                Sequence();
            }
        }

        private void Sequence()
        {
            var before = '\0'; // the literal before this one
            while (at < pattern.Length && pattern[at] is not ('|' or ')'))
            {
                var begin = result.Length;
                var literal = Atom();
                // Ignoring case, Oniguruma also matches ligatures such as U+FB06 for "st": not the length of the pattern.
                if (ignoreCase && $"{before}{literal}".ToLowerInvariant() is "ss" or "st" or "ff" or "fi" or "fl")
                    throw Refused($"'{before}{literal}' ignoring case (it would match a ligature, too)");
                before = Quantifier(begin) ? '\0' : literal;
            }
        }

        /// <returns>The character, where the atom is a literal one.</returns>
        private char Atom()
        {
            var c = pattern[at];
            switch (c)
            {
                case '(':
                    Group();
                    return '\0';
                case '[':
                    Class();
                    return '\0';
                case '.':
                    at++;
                    result.Append("[^\\n]");
                    return '\0';
                case '$':
                    at++;
                    result.Append("(?=\\n|\\z)");
                    return '\0';
                case '^' or '*' or '+' or '?' or '{':
                    throw Refused($"'{c}' here");
                case '\\':
                    if (Escape() is { } set)
                    {
                        result.Append(set);
                        return '\0';
                    }
                    return Literal(EscapedCharacter());
                default:
                    at++;
                    return Literal(c);
            }
        }

        private char Literal(char c)
        {
            var variants = Variants(c);
            if (variants.Length == 1) result.Append(Written(c));
            else result.Append('[').AppendJoin("", variants.Select(Written)).Append(']');
            return c;
        }

        private void Group()
        {
            at++;
            var outer = ignoreCase;
            var opening = "(?:";
            if (at < pattern.Length && pattern[at] == '?')
            {
                string[] kinds = ["?:", "?i:", "?=", "?!", "?<=", "?<!", "?>"];
                var kind = kinds.FirstOrDefault(k => pattern.AsSpan(at).StartsWith(k))
                    ?? throw Refused($"the group '({pattern.AsSpan(at)[..Math.Min(3, pattern.Length - at)]}'");
                at += kind.Length;
                if (kind == "?i:") ignoreCase = true;
                else opening = "(" + kind;
            }
            result.Append(opening);
            Alternatives();
            if (at == pattern.Length) throw Refused("a '(' without its ')'");
            at++;
            result.Append(')');
            ignoreCase = outer;
        }

        private void Class()
        {
            at++;
            result.Append('[');
            var negated = at < pattern.Length && pattern[at] == '^';
            if (negated)
            {
                if (ignoreCase) throw Refused("a negated class ignoring case");
                at++;
                result.Append('^');
            }
            for (var first = true; ; first = false)
            {
                if (at == pattern.Length) throw Refused("a '[' without its ']'");
                if (pattern[at] == ']' && !first) break;
                if (pattern[at] is '[' or ']' || pattern.AsSpan(at).StartsWith("&&")) throw Refused($"'{pattern[at]}' inside a class");
                if (pattern[at] == '\\' && Escape() is { } set)
                {
                    result.Append(set);
                    continue;
                }
                var low = ClassCharacter();
                if (at + 1 < pattern.Length && pattern[at] == '-' && pattern[at + 1] != ']')
                {
                    at++;
                    if (pattern[at] == '[' || (pattern[at] == '\\' && Escape() is not null))
                        throw Refused("a range that ends in a class");
                    var high = ClassCharacter();
                    if (high < low) throw Refused($"the empty range {Written(low)}-{Written(high)}");
                    if (ignoreCase) throw Refused("a range ignoring case");
                    Literals.Add((low, high));
                    result.Append(Written(low)).Append('-').Append(Written(high));
                }
                else
                {
                    foreach (var variant in Variants(low)) result.Append(Written(variant));
                }
            }
            at++;
            result.Append(']');
        }

        private char ClassCharacter() => pattern[at] == '\\' ? EscapedCharacter() : Plain(pattern[at++]);

        /// <summary>A set that is written with a backslash, translated; null (and nothing read) where it is a single character.</summary>
        private string? Escape()
        {
            var c = at + 1 < pattern.Length ? pattern[at + 1] : throw Refused("a backslash at the end");
            switch (c)
            {
                case 's' or 'S' or 'd' or 'D':
                    at += 2;
                    return $"\\{c}";
                case 'p' or 'P':
                    var close = pattern.IndexOf('}', at);
                    if (at + 2 >= pattern.Length || pattern[at + 2] != '{' || close < 0) throw Refused($"'\\{c}' without {{}}");
                    var name = pattern[(at + 3)..close];
                    var negated = c == 'P' != name.StartsWith('^');
                    if (!Categories.Contains(name.TrimStart('^')))
                        throw Refused($"the property '{name}' (supported: the general categories {string.Join(' ', Categories)})");
                    at = close + 1;
                    return $"\\{(negated ? 'P' : 'p')}{{{name.TrimStart('^')}}}";
                default:
                    return null;
            }
        }

        private char EscapedCharacter()
        {
            var c = pattern[at + 1];
            var digits = c switch { 'u' => 4, 'x' => 2, _ => 0 };
            if (digits > 0)
            {
                var number = pattern.AsSpan(at + 2, Math.Min(digits, pattern.Length - at - 2));
                if (number.Length < digits || !ushort.TryParse(number, NumberStyles.AllowHexSpecifier, null, out var code))
                    throw Refused($"'\\{c}' without {digits} hexadecimal digits");
                at += 2 + digits;
                return Plain((char)code);
            }
            var value = c switch
            {
                'r' => '\r',
                'n' => '\n',
                't' => '\t',
                'v' => '\v',
                'f' => '\f',
                _ when !char.IsLetterOrDigit(c) => c,
                _ => throw Refused($"'\\{c}'"),
            };
            at += 2;
            return Plain(value);
        }

        private char Plain(char c) => char.IsSurrogate(c) ? throw Refused("a character outside the basic plane") : c;

        /// <summary>The characters that a literal matches: itself, and ignoring case all that fold to the same.</summary>
        private string Variants(char c)
        {
            Plain(c);
            if (ignoreCase && c > 0x7F && char.IsLetter(c)) throw Refused($"'{c}' ignoring case (supported: ASCII letters)");
            var variants = !ignoreCase || !char.IsAsciiLetter(c) ? $"{c}" : char.ToLowerInvariant(c) switch
            {
                'k' => "kK\u212A",
                's' => "sS\u017F",
                var lower => $"{lower}{char.ToUpperInvariant(c)}",
            };
            foreach (var variant in variants) Literals.Add((variant, variant));
            return variants;
        }

        /// <returns>Whether there is one.</returns>
        private bool Quantifier(int begin)
        {
            if (at == pattern.Length || pattern[at] is not ('*' or '+' or '?' or '{')) return false;
            var interval = pattern[at] == '{';
            var length = 1;
            if (interval)
            {
                var match = Regex.Match(pattern[at..], @"^\{[0-9]+(,[0-9]*)?\}");
                if (!match.Success) throw Refused("'{' that opens no {n}, {n,} or {n,m}");
                length = match.Length;
            }
            result.Append(pattern, at, length);
            var exact = interval && !pattern.AsSpan(at, length).Contains(',');
            at += length;
            if (at == pattern.Length) return true;
            if (pattern[at] == '?')
            {
                if (exact) throw Refused("'?' after {n}");
                result.Append('?');
                at++;
            }
            else if (pattern[at] == '+')
            {
                // In Ruby's syntax a plus makes * + ? possessive, but repeats an interval.
                result.Insert(begin, interval ? "(?:" : "(?>").Append(interval ? ")+" : ")");
                at++;
            }
            if (at < pattern.Length && pattern[at] is '*' or '+' or '?' or '{') throw Refused("a quantifier after a quantifier");
            return true;
        }

        private static string Written(char c) => char.IsAsciiLetterOrDigit(c) ? $"{c}" : $"\\u{(int)c:X4}";

        private ModelFormatException Refused(string what) =>
            new($"{source}: {what} at character {at} of the regular expression '{pattern}' is not supported");
    }
}
