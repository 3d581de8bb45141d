using System.Text.Json;

namespace Rlp.Models.Weights;

/// <summary>
/// The text of a config.json, of which one value is read or replaced and everything else stays as it was written, down to Python's bare
/// Infinity, which is no JSON.
/// </summary>
internal static class ConfigText
{
    /// <summary>The string at a key of the outermost object; null where the key is absent or holds something else.</summary>
    /// <exception cref="ModelFormatException">Not an object.</exception>
    public static string? String(string text, string key, string source)
    {
        foreach (var (name, value) in Entries(text, source))
            if (name == key && text[value.Start.Value] == '"') return Unescaped(text[value], source);
        return null;
    }

    /// <summary>
    /// The text with the type of the weights changed, wherever the outermost object says it (torch_dtype, and dtype in newer files).
    /// </summary>
    /// <exception cref="ModelFormatException">Not an object.</exception>
    public static string WithType(string text, string type, string source)
    {
        var values = Entries(text, source).Where(e => e.Key is "torch_dtype" or "dtype").Select(e => e.Value).ToList();
        if (values.Count == 0)
        {
            var brace = text.IndexOf('{', StringComparison.Ordinal) + 1;
            var comma = Entries(text, source).Any() ? "," : "";
            return $"{text[..brace]}\n  \"torch_dtype\": \"{type}\"{comma}{text[brace..]}";
        }
        foreach (var value in Enumerable.Reverse(values)) text = $"{text[..value.Start.Value]}\"{type}\"{text[value.End.Value..]}";
        return text;
    }

    /// <summary>Keys of the outermost object and where their values stand.</summary>
    private static List<(string Key, Range Value)> Entries(string text, string source)
    {
        var entries = new List<(string, Range)>();
        var at = Skip(text, 0);
        Expect('{');
        if (Peek() == '}') return entries;
        while (true)
        {
            if (Peek() != '"') throw Damaged(at);
            var keyEnd = EndOfString(at);
            var key = Unescaped(text[at..keyEnd], source);
            at = Skip(text, keyEnd);
            Expect(':');
            var begin = at;
            var end = EndOfValue();
            if (end == begin) throw Damaged(begin);
            entries.Add((key, begin..end));
            at = Skip(text, end);
            if (Peek() == '}') return entries;
            Expect(',');
        }

        char Peek() => at < text.Length ? text[at] : throw Damaged(at);

        void Expect(char c)
        {
            if (Peek() != c) throw Damaged(at);
            at = Skip(text, at + 1);
        }

        int EndOfString(int i)
        {
            for (i++; i < text.Length && text[i] != '"'; i++)
                if (text[i] == '\\') i++;
            return i < text.Length ? i + 1 : throw Damaged(i);
        }

        int EndOfValue()
        {
            var depth = 0;
            for (var i = at; i < text.Length; i++)
            {
                switch (text[i])
                {
                    case '"': i = EndOfString(i) - 1; break;
                    case '{' or '[': depth++; break;
                    case '}' or ']' when depth > 0: depth--; break;
                    case ',' or '}' when depth == 0: return at + text[at..i].TrimEnd().Length;
                }
            }
            throw Damaged(text.Length);
        }

        ModelFormatException Damaged(int position) => new($"{source}: not a JSON object (at character {Math.Min(position, text.Length)})");
    }

    private static int Skip(string text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
        return at;
    }

    private static string Unescaped(string literal, string source)
    {
        try
        {
            return JsonSerializer.Deserialize<string>(literal)!;
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{source}: {literal} is no JSON string: {e.Message}", e);
        }
    }
}
