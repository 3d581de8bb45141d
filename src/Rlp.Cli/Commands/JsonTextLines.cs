using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Rlp.Cli.Commands;

/// <summary>The texts of a JSON Lines file of {"text": ...}, whatever a JSON string may hold.</summary>
internal sealed class JsonTextLines(string path)
{
    /// <summary>One text for each line; half a surrogate pair comes out as U+FFFD.</summary>
    /// <exception cref="InvalidDataException">Absent, or a line that is no such object; the message names file and line.</exception>
    public IEnumerable<string> Read()
    {
        if (!File.Exists(path)) throw new InvalidDataException($"{path}: the file does not exist; expected lines of {{\"text\": ...}}");
        using var reader = new StreamReader(path, Encoding.Latin1, detectEncodingFromByteOrderMarks: false); // bytes: whether they are UTF-8 is asked line by line
        for (var number = 1; reader.ReadLine() is { } line; number++)
        {
            var bytes = Encoding.Latin1.GetBytes(line);
            ReadOnlyMemory<byte> content = number == 1 && bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes.AsMemory(Encoding.UTF8.Preamble.Length) : bytes;
            yield return Text(content, number);
        }
    }

    private string Text(ReadOnlyMemory<byte> line, int number)
    {
        if (!Utf8.IsValid(line.Span)) throw Refused(number, "it is not UTF-8");
        try
        {
            using var document = JsonDocument.Parse(line);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw Refused(number, $"it is {document.RootElement.ValueKind}");
            if (!document.RootElement.TryGetProperty("text", out var text)) throw Refused(number, "it has no key 'text'");
            if (text.ValueKind != JsonValueKind.String) throw Refused(number, $"its 'text' is {text.ValueKind}");
            try
            {
                return text.GetString()!;
            }
            catch (InvalidOperationException) // half a surrogate pair, which JSON can write and the library does not read
            {
                return Unescape(text.GetRawText());
            }
        }
        catch (JsonException e)
        {
            throw Refused(number, line.Span.Trim(" \t\r"u8).IsEmpty ? "it is empty" : $"it is not JSON ({e.Message})");
        }
    }

    private InvalidDataException Refused(int line, string found) => new($"{path}, line {line}: {found}; expected {{\"text\": \"...\"}}");

    /// <param name="quoted">A JSON string that has been checked, in its quotes.</param>
    private static string Unescape(string quoted)
    {
        var text = new StringBuilder(quoted.Length);
        for (var i = 1; i < quoted.Length - 1; i++)
        {
            if (quoted[i] != '\\')
            {
                text.Append(quoted[i]);
                continue;
            }
            i++;
            text.Append(quoted[i] switch
            {
                'b' => '\b',
                'f' => '\f',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => (char)ushort.Parse(quoted.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                var c => c,
            });
            if (quoted[i] == 'u') i += 4;
        }
        return string.Concat(text.ToString().EnumerateRunes()); // halves of pairs become U+FFFD
    }
}
