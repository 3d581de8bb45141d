using System.Text.Json;

namespace Rlp.Corpora;

/// <summary>
/// A file of JSON lines (or one compressed by gzip, path ending in .gz): each line is an object, and one of its keys holds the document.
/// Blank lines are passed over. Every line is checked at opening, so that a bad one shows before a run and not in the middle of it.
/// </summary>
public sealed class JsonlCorpus : ICorpus, IDisposable
{
    private const int KeysShown = 20;

    private readonly RecordFile file;
    private readonly string path;
    private readonly string field;

    /// <param name="name">The corpus's name in the recipe.</param>
    /// <param name="path">The file; it must stay as it is while the corpus is open.</param>
    /// <param name="field">The key that holds the document's text.</param>
    /// <exception cref="CorpusException">
    /// The file is missing, unreadable, empty or not UTF-8, or a line is no JSON object with a text under that key; the message names the file,
    /// the line, the key expected and the keys found.
    /// </exception>
    public JsonlCorpus(string name, string path, string field)
    {
        Name = name;
        this.path = path;
        this.field = field;
        file = new RecordFile(path, "\n");
        try
        {
            file.Keep(line =>
            {
                var json = file.ReadBytes(line);
                if (json.AsSpan().Trim(" \t\r"u8).IsEmpty) return false;
                Parse(json, $"{path}, line {line + 1L}");
                return true;
            });
            if (file.Count == 0) throw new CorpusException($"{path}: every line is blank; a corpus needs at least one document.");
        }
        catch
        {
            file.Dispose();
            throw;
        }
        Fingerprint = CorpusFingerprint.Of("jsonl", field, file.Sha256);
    }

    public string Name { get; }

    public long Count => file.Count;

    public string Fingerprint { get; }

    public Document Read(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        return new Document(index, Parse(file.ReadBytes((int)index), $"{path}, document {index}"));
    }

    public string SplitKey(Document document) => document.Text;

    public void Dispose() => file.Dispose();

    private string Parse(byte[] json, string place)
    {
        try
        {
            using var parsed = JsonDocument.Parse(json);
            var line = parsed.RootElement;
            if (line.ValueKind != JsonValueKind.Object)
                throw new CorpusException($"{place}: expected a JSON object with the key '{field}', found {Described(line)}.");
            if (!line.TryGetProperty(field, out var text))
                throw new CorpusException($"{place}: expected the key '{field}', found {Keys(line)}. Set the corpus's field to the key that holds the text.");
            if (text.ValueKind != JsonValueKind.String)
                throw new CorpusException($"{place}: the key '{field}' must hold a text, found {Described(text)}; the object has {Keys(line)}.");
            return text.GetString()!;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException) // the latter: \ud800 without its other half
        {
            throw new CorpusException($"{place}: expected a JSON object with the key '{field}': {failure.Message}", failure);
        }
    }

    private static string Described(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };

    private static string Keys(JsonElement line)
    {
        var keys = line.EnumerateObject().Select(property => $"'{property.Name}'").ToList();
        return keys.Count == 0 ? "no keys" : "the keys " + string.Join(", ", keys.Take(KeysShown)) + (keys.Count > KeysShown ? ", ..." : "");
    }
}
