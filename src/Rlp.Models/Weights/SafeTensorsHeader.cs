using System.Buffers.Binary;
using System.Text.Json;
using static Rlp.Models.Weights.ProblemList;

namespace Rlp.Models.Weights;

/// <summary>One tensor of a safetensors file: its type as the format spells it, its shape, and where in the file its bytes lie.</summary>
public sealed record TensorEntry(string Name, string Dtype, long[] Shape, long Begin, long End)
{
    public long Elements => Shape.Aggregate(1L, (a, b) => a * b);

    public override string ToString() => $"{Dtype} {ProblemList.Shape(Shape)}";
}

/// <summary>
/// The head of a safetensors file: eight bytes of length, then JSON {name: {dtype, shape, data_offsets}}. Files come from anywhere:
/// lengths, shapes and offsets are checked against the size of the file, and nothing is allocated that the file does not hold.
/// </summary>
internal sealed class SafeTensorsHeader
{
    private const int LongestHeader = 100 << 20; // the reference implementation's own limit
    private const int MostTensors = 1 << 20;
    private const int HighestRank = 16;

    private readonly Dictionary<string, TensorEntry> tensors = new(StringComparer.Ordinal);
    private readonly List<string> problems = [];

    private SafeTensorsHeader()
    {
    }

    public IReadOnlyDictionary<string, TensorEntry> Tensors => tensors;

    /// <summary>What is wrong with single tensors; such a file must not be read further.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <param name="path">What messages call the file.</param>
    /// <exception cref="ModelFormatException">Not the head of a safetensors file.</exception>
    public static SafeTensorsHeader Read(Stream file, string path)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (file.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8)
            throw new ModelFormatException($"{path}: {file.Length} bytes are too few for a safetensors file");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > LongestHeader || (long)length > file.Length - 8)
            throw new ModelFormatException(
                $"{path}: the header claims {length} bytes of a file of {file.Length}; truncated or not a safetensors file");
        var json = new byte[(int)length];
        file.ReadExactly(json);
        var header = new SafeTensorsHeader();
        try
        {
            header.Parse(json, 8 + (long)length, file.Length - 8 - (long)length);
        }
        // InvalidOperationException: a string that is not Unicode
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new ModelFormatException($"{path}: the header is damaged: {e.Message}", e);
        }
        if (header.problems.Count == 0) header.CheckThatBytesBelongToOneTensor(8 + (long)length, file.Length);
        return header;
    }

    private void Parse(ReadOnlySpan<byte> json, long dataBegin, long dataLength)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        var hasMetadata = false;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("expected an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (name == "__metadata__")
            {
                if (hasMetadata) throw new JsonException("'__metadata__' is there twice");
                hasMetadata = true;
                SkipMetadata(ref reader);
                continue;
            }
            if (tensors.Count >= MostTensors) throw new JsonException($"more than {MostTensors} tensors");
            var entry = ReadEntry(ref reader, name, dataBegin, dataLength);
            if (!tensors.TryAdd(name, entry)) throw new JsonException($"{Quoted(name)} is there twice");
        }
        while (reader.Read())
        {
            // padding; anything else than white space makes the reader throw
        }
    }

    private static void SkipMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException("'__metadata__' is no object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.String) throw new JsonException("'__metadata__' holds something else than strings");
        }
    }

    private TensorEntry ReadEntry(ref Utf8JsonReader reader, string name, long dataBegin, long dataLength)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException($"{Quoted(name)} is no object");
        string? dtype = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.String || dtype is not null)
                    throw new JsonException($"{Quoted(name)} has a dtype that is no string or is there twice");
                dtype = reader.GetString();
            }
            else if (reader.ValueTextEquals("shape"))
            {
                if (shape is not null) throw new JsonException($"{Quoted(name)} has two shapes");
                shape = ReadIntegers(ref reader, name, HighestRank);
            }
            else if (reader.ValueTextEquals("data_offsets"))
            {
                if (offsets is not null) throw new JsonException($"{Quoted(name)} has data_offsets twice");
                offsets = ReadIntegers(ref reader, name, 2);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
        if (dtype is null || shape is null || offsets is not { Length: 2 })
            throw new JsonException($"{Quoted(name)} lacks one of dtype, shape and two data_offsets");

        var problem = ProblemOf(dtype, shape, (offsets[0], offsets[1]), dataLength);
        if (problem is null) return new TensorEntry(name, dtype, shape, dataBegin + offsets[0], dataBegin + offsets[1]);
        problems.Add($"{Quoted(name)}, {Short(dtype)} {Shape(shape)}, {problem}");
        return new TensorEntry(name, dtype, shape, 0, 0);
    }

    private static string? ProblemOf(string dtype, long[] shape, (long Begin, long End) offsets, long dataLength)
    {
        if (TensorType.BitsOf(dtype) is not { } bits) return "has a type that safetensors does not know";
        if (Bytes(bits, shape) is not { } bytes) return "has a shape that no tensor can have";
        if (offsets.Begin < 0 || offsets.End < offsets.Begin) return $"lies at [{offsets.Begin}, {offsets.End}), which is no range of bytes";
        if (offsets.End - offsets.Begin != bytes)
            return $"needs {bytes} bytes, its data_offsets [{offsets.Begin}, {offsets.End}) hold {offsets.End - offsets.Begin}";
        return offsets.End > dataLength
            ? $"lies at [{offsets.Begin}, {offsets.End}), but the file ends after {dataLength} data bytes: truncated"
            : null;
    }

    private static long[] ReadIntegers(ref Utf8JsonReader reader, string name, int most)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException($"{Quoted(name)} has a shape or data_offsets that is no list");
        var result = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var value))
                throw new JsonException($"{Quoted(name)} has a shape or data_offsets with something else than 64-bit whole numbers");
            if (result.Count == most) throw new JsonException($"{Quoted(name)} has a shape or data_offsets of more than {most} numbers");
            result.Add(value);
        }
        return [.. result];
    }

    /// <summary>Null: a negative size, more elements than 64 bits count, or a part of a byte.</summary>
    private static long? Bytes(int bitsOfOne, long[] shape)
    {
        if (shape.Any(s => s < 0)) return null;
        try
        {
            // Every product along the way, as the reference implementation forms it: [2^62, 4, 0] is refused as well.
            var bits = checked(shape.Aggregate(1L, (a, b) => checked(a * b)) * bitsOfOne);
            return bits % 8 == 0 ? bits / 8 : null;
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    /// <summary>As the reference implementation demands: no overlap, no hole, nothing behind the last tensor.</summary>
    private void CheckThatBytesBelongToOneTensor(long dataBegin, long fileLength)
    {
        var end = dataBegin;
        string? last = null;
        foreach (var entry in tensors.Values.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            if (entry.Begin < end) problems.Add($"{Quoted(entry.Name)} overlaps {Quoted(last!)}");
            else if (entry.Begin > end)
                problems.Add($"data bytes [{end - dataBegin}, {entry.Begin - dataBegin}) before {Quoted(entry.Name)} belong to no tensor");
            (end, last) = (Math.Max(end, entry.End), entry.Name);
        }
        if (end < fileLength) problems.Add($"the last {fileLength - end} bytes belong to no tensor");
    }
}
