using System.Globalization;
using System.Text;
using Akka.Configuration.Hocon;

namespace Rlp.Cli.Configuration;

/// <summary>Values of Akka's parser as plain text and back. Akka's own GetString trims, inside quotes too; here "\n" is a value.</summary>
public static class HoconText
{
    /// <summary>The text of a single value, its references followed.</summary>
    public static string Of(HoconValue value) =>
        string.Concat(value.Values.Select(v => v is HoconSubstitution { ResolvedValue: { } target } ? Of(target) : v.GetString()));

    public static bool IsList(HoconValue value) =>
        value.Values.Any(v => v is HoconArray || (v is HoconSubstitution { ResolvedValue: { } target } && IsList(target)));

    /// <summary>The texts of a list's elements; lists that stand side by side are one list. Null where the value is none.</summary>
    public static IReadOnlyList<string>? Elements(HoconValue value) => IsList(value)
        ? [.. value.Values.SelectMany(v => v switch
        {
            HoconArray array => array.Select(Of),
            HoconSubstitution { ResolvedValue: { } target } => Elements(target) ?? [Of(target)],
            _ => [],
        })]
        : null;

    /// <summary>The value as HOCON again.</summary>
    public static string Written(HoconValue value) =>
        Elements(value) is { } elements ? $"[{string.Join(", ", elements.Select(Written))}]" : Written(Of(value));

    /// <summary>The text as a HOCON value: numbers and plain words as they are, everything else in quotes.</summary>
    public static string Written(string text)
    {
        if (text.Length > 0 && text != "null" && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')) return text;
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
            quoted.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when char.IsControl(c) => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => c.ToString(),
            });
        return quoted.Append('"').ToString();
    }
}
