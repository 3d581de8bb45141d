using System.Text;

namespace Rlp.Consoles;

/// <summary>The words of a command line, as a shell splits them: by white space, which "..." and '...' keep together. A backslash is a character.</summary>
public static class CommandLine
{
    /// <exception cref="CommandNotUnderstoodException">A quotation mark is not closed.</exception>
    public static IReadOnlyList<string> Split(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var (inWord, quote) = (false, '\0');
        foreach (var c in line)
        {
            if (quote != '\0')
            {
                if (c == quote) quote = '\0';
                else word.Append(c);
            }
            else if (c is '"' or '\'')
            {
                (inWord, quote) = (true, c);
            }
            else if (!char.IsWhiteSpace(c))
            {
                word.Append(c);
                inWord = true;
            }
            else if (inWord)
            {
                words.Add(word.ToString());
                word.Clear();
                inWord = false;
            }
        }
        if (quote != '\0') throw new CommandNotUnderstoodException($"a quotation mark {quote} is not closed");
        if (inWord) words.Add(word.ToString());
        return words;
    }

    /// <summary>The line that <see cref="Split"/> makes these words of.</summary>
    public static string Join(IEnumerable<string> words) => string.Join(' ', words.Select(Quote));

    private static string Quote(string word) =>
        word.Length > 0 && !word.Any(c => char.IsWhiteSpace(c) || c is '"' or '\'') ? word
        : !word.Contains('"') ? $"\"{word}\""
        : !word.Contains('\'') ? $"'{word}'"
        : string.Join("'\"'", word.Split('"').Select(part => $"\"{part}\""));
}
