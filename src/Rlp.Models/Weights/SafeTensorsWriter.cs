using System.Buffers.Binary;
using System.Text.Json;
using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>Writes a safetensors file piece by piece.</summary>
internal static class SafeTensorsWriter
{
    /// <summary>Writes the tensors in their order and flushes them to the disk.</summary>
    /// <param name="metadata">Strings for the reader; null: none.</param>
    public static void Write(string path, IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var noGradient = no_grad();
        var json = Header(tensors, metadata);
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        var padded = (json.Length + 7) / 8 * 8; // the data begin on an eight-byte boundary
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)padded);
        file.Write(length);
        file.Write(json);
        for (var i = json.Length; i < padded; i++) file.WriteByte((byte)' ');
        foreach (var tensor in tensors)
        {
            long written = 0;
            foreach (var piece in tensor.Pieces())
            {
                written += piece.numel();
                WritePiece(file, piece, tensor.Dtype);
                piece.Dispose();
            }
            if (written != tensor.Elements)
                throw new InvalidOperationException($"'{tensor.Name}' gave {written} elements, its shape has {tensor.Elements}");
        }
        file.Flush(flushToDisk: true);
    }

    private static void WritePiece(FileStream file, Tensor piece, ScalarType dtype)
    {
        using var there = piece.to(dtype); // on its device, before it travels
        using var here = there.cpu();
        using var contiguous = here.contiguous();
        file.Write(contiguous.bytes);
    }

    private static byte[] Header(IReadOnlyList<TensorSource> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var header = new Dictionary<string, object>();
        if (metadata is not null) header["__metadata__"] = metadata;
        long offset = 0;
        foreach (var tensor in tensors)
        {
            var end = offset + tensor.Bytes;
            header.Add(tensor.Name, new { dtype = TensorType.Name(tensor.Dtype), shape = tensor.Shape, data_offsets = new[] { offset, end } });
            offset = end;
        }
        return JsonSerializer.SerializeToUtf8Bytes(header);
    }
}
