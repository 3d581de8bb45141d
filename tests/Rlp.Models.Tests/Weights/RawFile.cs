using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Rlp.Models.Tests.Weights;

/// <summary>safetensors files put together by hand, right or wrong.</summary>
internal static class RawFile
{
    public static byte[] Bytes(string header, int dataBytes) => Bytes(header, new byte[dataBytes]);

    public static byte[] Bytes(string header, byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)json.Length);
        json.CopyTo(bytes, 8);
        data.CopyTo(bytes, 8 + json.Length);
        return bytes;
    }

    /// <summary>A file of the given tensors, one behind the other.</summary>
    public static void Write(string path, params (string Name, string Dtype, long[] Shape, byte[] Data)[] tensors)
    {
        var entries = new List<string>();
        var data = new List<byte>();
        foreach (var (name, type, shape, bytes) in tensors)
        {
            entries.Add($"\"{name}\":" + JsonSerializer.Serialize(new { dtype = type, shape, data_offsets = new[] { data.Count, data.Count + bytes.Length } }));
            data.AddRange(bytes);
        }
        File.WriteAllBytes(path, Bytes($"{{{string.Join(",", entries)}}}", [.. data]));
    }
}
