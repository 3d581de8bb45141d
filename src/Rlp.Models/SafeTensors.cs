using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// The safetensors format: eight bytes of header length, a JSON header {name: {dtype, shape, data_offsets}}, the tensors' bytes. float32, which
/// is what a checkpoint holds. The header is checked against the file's size before anything is allocated.
/// </summary>
public static class SafeTensors
{
    private const int HeaderLimit = 100 << 20; // the reference implementation's own limit

    /// <summary>Writes the parameters of an arena under their Hugging Face names.</summary>
    public static void Save(string path, ParameterArena arena) =>
        Save(path, [.. arena.Layout.Slots.Select(slot => (slot.Name, arena.View(slot)))]);

    /// <summary>Writes float32 tensors and flushes them to the disk; disposes the tensors.</summary>
    public static void Save(string path, IReadOnlyList<(string Name, Tensor Tensor)> tensors)
    {
        var header = new Dictionary<string, object>();
        long offset = 0;
        foreach (var (name, tensor) in tensors)
        {
            var end = offset + (tensor.numel() * sizeof(float));
            header[name] = new { dtype = "F32", tensor.shape, data_offsets = new[] { offset, end } };
            offset = end;
        }
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var padded = (json.Length + 7) / 8 * 8; // the data begin on an eight-byte boundary
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)padded);
        file.Write(length);
        file.Write(json);
        for (var i = json.Length; i < padded; i++) file.WriteByte((byte)' ');
        foreach (var (_, tensor) in tensors)
        {
            using var cpu = tensor.cpu();
            using var contiguous = cpu.contiguous();
            file.Write(contiguous.bytes);
            tensor.Dispose();
        }
        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads a file into an arena that has exactly its tensors.</summary>
    /// <exception cref="ModelFormatException">Unreadable, or tensors that are missing, extra or misshaped: the message lists them all.</exception>
    public static void Load(string path, ParameterArena arena)
    {
        using var file = Open(path);
        var entries = ReadHeader(file, path);
        var problems = new List<string>();
        foreach (var slot in arena.Layout.Slots)
        {
            if (!entries.TryGetValue(slot.Name, out var entry)) problems.Add($"'{slot.Name}' is missing (expected {Shape(slot.Shape)})");
            else if (!entry.Shape.SequenceEqual(slot.Shape)) problems.Add($"'{slot.Name}' is {Shape(entry.Shape)}, expected {Shape(slot.Shape)}");
        }
        problems.AddRange(entries.Keys.Except(arena.Layout.Slots.Select(s => s.Name)).Select(name => $"'{name}' is not part of this model"));
        if (problems.Count > 0) throw new ModelFormatException($"{path}: {string.Join("; ", problems)}");
        using var noGradient = no_grad();
        foreach (var slot in arena.Layout.Slots)
        {
            using var view = arena.View(slot);
            using var tensor = ReadTensor(file, path, slot.Name, entries[slot.Name]);
            view.copy_(tensor);
        }
    }

    /// <summary>Reads the flat tensors of an optimizer file into the given ones of equal length.</summary>
    /// <exception cref="ModelFormatException">Unreadable, missing or of another length.</exception>
    public static void Load(string path, IReadOnlyList<(string Name, Tensor Target)> targets)
    {
        using var file = Open(path);
        var entries = ReadHeader(file, path);
        using var noGradient = no_grad();
        foreach (var (name, target) in targets)
        {
            if (!entries.TryGetValue(name, out var entry)) throw new ModelFormatException($"{path}: '{name}' is missing");
            if (!entry.Shape.SequenceEqual(target.shape)) throw new ModelFormatException($"{path}: '{name}' is {Shape(entry.Shape)}, expected {Shape(target.shape)}");
            using var tensor = ReadTensor(file, path, name, entry);
            target.copy_(tensor);
        }
    }

    private sealed record Entry(long[] Shape, long Begin, long End);

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelFormatException($"{path}: the file does not exist", e);
        }
    }

    private static Dictionary<string, Entry> ReadHeader(FileStream file, string path)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (file.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8) throw new ModelFormatException($"{path}: {file.Length} bytes are too few for a safetensors file");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > HeaderLimit || (long)length > file.Length - 8)
            throw new ModelFormatException($"{path}: the header claims {length} bytes of a file of {file.Length}; truncated or not a safetensors file");
        var json = new byte[(int)length];
        file.ReadExactly(json);
        var data = file.Length - 8 - (long)length;
        var entries = new Dictionary<string, Entry>();
        try
        {
            using var document = JsonDocument.Parse(json);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == "__metadata__") continue;
                var dtype = property.Value.GetProperty("dtype").GetString();
                if (dtype != "F32") throw new ModelFormatException($"{path}: '{property.Name}' is {dtype}; expected F32");
                long[] shape = [.. property.Value.GetProperty("shape").EnumerateArray().Select(e => e.GetInt64())];
                long[] offsets = [.. property.Value.GetProperty("data_offsets").EnumerateArray().Select(e => e.GetInt64())];
                var elements = shape.Any(s => s < 0) ? -1 : shape.Aggregate(1L, (a, b) => checked(a * b));
                if (offsets.Length != 2 || offsets[0] < 0 || offsets[1] > data || offsets[1] - offsets[0] != checked(elements * sizeof(float)))
                    throw new ModelFormatException(
                        $"{path}: '{property.Name}' of shape {Shape(shape)} lies at [{string.Join(", ", offsets)}) of {data} data bytes; truncated or damaged");
                if (!entries.TryAdd(property.Name, new Entry(shape, 8 + (long)length + offsets[0], 8 + (long)length + offsets[1])))
                    throw new ModelFormatException($"{path}: '{property.Name}' is in the header twice");
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new ModelFormatException($"{path}: the header is damaged: {e.Message}", e);
        }
        return entries;
    }

    private static Tensor ReadTensor(FileStream file, string path, string name, Entry entry)
    {
        using var scope = NewDisposeScope();
        var result = empty(entry.Shape, dtype: float32);
        file.Position = entry.Begin;
        if (file.ReadAtLeast(result.bytes, (int)(entry.End - entry.Begin), throwOnEndOfStream: false) < entry.End - entry.Begin)
            throw new ModelFormatException($"{path}: '{name}' ends early; the file is truncated");
        return result.MoveToOuterDisposeScope();
    }

    private static string Shape(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
