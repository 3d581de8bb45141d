using System.Text.Json;
using static Rlp.Models.Weights.ProblemList;

namespace Rlp.Models.Weights;

/// <summary>model.safetensors.index.json: which shard of a model holds which tensor.</summary>
internal static class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";

    private const long LongestFile = 64 << 20;
    private const int MostTensors = 1 << 20;

    /// <summary>Tensor to the name of its shard, in the order of the file.</summary>
    /// <exception cref="ModelFormatException">Not such a file, or a shard's name that is no name of a file beside it.</exception>
    public static IReadOnlyList<KeyValuePair<string, string>> Read(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            if (length > LongestFile) throw new ModelFormatException($"{path}: {length} bytes; an index has at most {LongestFile}");
            return Parse(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ModelFormatException($"{path}: not an index of shards: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: the file cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The text of an index.</summary>
    public static byte[] Text(IEnumerable<(string Shard, IReadOnlyList<TensorSource> Tensors)> shards)
    {
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        long bytes = 0;
        foreach (var (shard, tensors) in shards)
            foreach (var tensor in tensors)
            {
                map.Add(tensor.Name, shard);
                bytes += tensor.Bytes;
            }
        return JsonSerializer.SerializeToUtf8Bytes(
            new { metadata = new { total_size = bytes }, weight_map = map }, new JsonSerializerOptions { WriteIndented = true });
    }

    private static List<KeyValuePair<string, string>> Parse(ReadOnlySpan<byte> json, string path)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        List<KeyValuePair<string, string>>? map = null;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("expected an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("weight_map"))
            {
                if (map is not null) throw new JsonException("'weight_map' is there twice");
                map = ReadMap(ref reader, path);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
        while (reader.Read())
        {
            // anything but white space makes the reader throw
        }
        return map ?? throw new JsonException("'weight_map' is missing");
    }

    private static List<KeyValuePair<string, string>> ReadMap(ref Utf8JsonReader reader, string path)
    {
        var map = new List<KeyValuePair<string, string>>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("'weight_map' is no object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw new JsonException($"the shard of {Quoted(name)} is no string");
            var shard = reader.GetString()!;
            if (!IsPlainName(shard))
                throw new ModelFormatException(
                    $"{path}: {Quoted(name)} lies in {Quoted(shard)}; expected the name of a .safetensors file in the same folder");
            if (!names.Add(name)) throw new JsonException($"{Quoted(name)} is there twice");
            if (map.Count >= MostTensors) throw new JsonException($"more than {MostTensors} tensors");
            map.Add(new(name, shard));
        }
        return map;
    }

    /// <summary>No path of any system: an index must not make a reader open files elsewhere.</summary>
    private static bool IsPlainName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.Length <= 255 && name[0] != '.'
        && !name.Any(c => c is '/' or '\\' or ':' || char.IsControl(c));
}
