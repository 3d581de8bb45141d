using System.IO.MemoryMappedFiles;
using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>
/// A safetensors file, mapped into memory a few megabytes at a time: reading a model costs the memory of what is read into and no more. The
/// file must not be cut while it is open.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    /// <summary>Elements that are read, converted or written at once.</summary>
    internal const long Piece = 1 << 20;

    private readonly MemoryMappedFile map;

    private SafeTensorsFile(string path, SafeTensorsHeader header, MemoryMappedFile map, long length) =>
        (Path, Tensors, Problems, this.map, Length) = (path, header.Tensors, header.Problems, map, length);

    public string Path { get; }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>
    /// What is wrong with the places, types and shapes of single tensors. A file with problems can be looked at, not read.
    /// </summary>
    public IReadOnlyList<string> Problems { get; }

    /// <exception cref="ModelFormatException">Absent, unreadable or not a safetensors file.</exception>
    public static SafeTensorsFile Open(string path)
    {
        FileStream? file = null;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            var header = SafeTensorsHeader.Read(file, path);
            var length = file.Length;
            var map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new SafeTensorsFile(path, header, map, length);
        }
        catch (Exception e)
        {
            file?.Dispose();
            throw e switch
            {
                ModelFormatException => e,
                FileNotFoundException or DirectoryNotFoundException => new ModelFormatException($"{path}: the file does not exist", e),
                IOException or UnauthorizedAccessException => new ModelFormatException($"{path}: the file cannot be read: {e.Message}", e),
                _ => new ModelFormatException($"{path}: the file cannot be opened: {e.Message}", e),
            };
        }
    }

    /// <summary>Reads a tensor into one of equal shape, which may be of another type or on a device.</summary>
    /// <param name="target">Contiguous.</param>
    public void CopyTo(TensorEntry entry, Tensor target)
    {
        using var noGradient = no_grad();
        using var flat = target.view(-1);
        if (flat.numel() != entry.Elements)
            throw new ArgumentException($"the target has {flat.numel()} elements, '{entry.Name}' has {entry.Elements}", nameof(target));
        var dtype = ReadableDtype(entry);
        if (flat.dtype == dtype && flat.device.type == TorchSharp.DeviceType.CPU)
        {
            for (long i = 0; i < flat.numel(); i += Piece)
            {
                using var part = flat.narrow(0, i, Math.Min(Piece, flat.numel() - i));
                ReadBytes(entry, i, part);
            }
            return;
        }
        long begin = 0;
        foreach (var piece in Pieces(entry))
        {
            using var part = flat.narrow(0, begin, piece.numel());
            part.copy_(piece);
            begin += piece.numel();
            piece.Dispose();
        }
    }

    /// <summary>
    /// A tensor's elements in order, as flat tensors on the CPU in the type of the file; the caller disposes each before it takes the next.
    /// </summary>
    internal IEnumerable<Tensor> Pieces(TensorEntry entry)
    {
        var dtype = ReadableDtype(entry);
        var count = entry.Elements;
        for (long i = 0; i < count; i += Piece)
        {
            var piece = empty(Math.Min(Piece, count - i), dtype: dtype);
            ReadBytes(entry, i, piece);
            yield return piece;
        }
    }

    private void ReadBytes(TensorEntry entry, long firstElement, Tensor into)
    {
        if (Problems.Count > 0) throw new InvalidOperationException($"{Path} has problems and is not read");
        var width = TensorType.BytesOf(into.dtype);
        using var window = map.CreateViewAccessor(entry.Begin + (firstElement * width), into.numel() * width, MemoryMappedFileAccess.Read);
        window.SafeMemoryMappedViewHandle.ReadSpan((ulong)window.PointerOffset, into.bytes);
    }

    private ScalarType ReadableDtype(TensorEntry entry) =>
        TensorType.Read(entry.Dtype) ?? throw new ModelFormatException(
            $"{Path}: '{entry.Name}' is {entry.Dtype}; expected {TensorType.Readable}");

    public void Dispose() => map.Dispose();
}
