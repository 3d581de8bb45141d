using System.Text;
using static TorchSharp.torch;

namespace Rlp.Models.Weights;

/// <summary>
/// Writes a model as a Hugging Face folder: under a temporary name, flushed, then renamed, so that the folder is whole or not there.
/// </summary>
public static class ExportedModel
{
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" }; // Hugging Face's loader insists on it

    /// <param name="target">Must not exist, or be empty.</param>
    /// <param name="tensors">Written in this order, as the settings' type.</param>
    /// <exception cref="ModelFormatException">The target is not empty; nothing was written.</exception>
    /// <exception cref="IOException">The disk has too little room, or cannot be written; nothing is left behind.</exception>
    public static void Write(string target, ModelDocuments documents, IReadOnlyList<TensorSource> tensors, ExportSettings settings)
    {
        if (settings.Dtype is not (ScalarType.Float32 or ScalarType.BFloat16))
            throw new ArgumentException($"weights are exported as float32 or bfloat16, not {settings.Dtype}", nameof(settings));
        if (settings.MaxShardBytes < 1)
            throw new ArgumentOutOfRangeException(nameof(settings), settings.MaxShardBytes, "a shard has at least one byte");
        var config = ConfigText.WithType(documents.Config, TensorType.ConfigName(settings.Dtype), ModelDocuments.ConfigFile);
        target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        RequireEmpty(target);
        var shards = Shards([.. tensors.Select(t => t with { Dtype = settings.Dtype })], settings.MaxShardBytes);
        var parent = Path.GetDirectoryName(target) ?? throw new ModelFormatException($"{target} cannot be a model's folder");
        Directory.CreateDirectory(parent);
        var bytes = shards.Sum(s => s.Tensors.Sum(t => t.Bytes)) + documents.CarriedFiles.Sum(f => new FileInfo(f).Length);
        FreeSpace.Require(parent, bytes, $"the model to be written to {target}");

        var temporary = Path.Combine(parent, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.tmp");
        try
        {
            Directory.CreateDirectory(temporary);
            WriteFile(Path.Combine(temporary, ModelDocuments.ConfigFile), stream => stream.Write(Encoding.UTF8.GetBytes(config)));
            foreach (var source in documents.CarriedFiles)
            {
                using var input = File.OpenRead(source);
                WriteFile(Path.Combine(temporary, Path.GetFileName(source)), input.CopyTo);
            }
            foreach (var (name, part) in shards) SafeTensorsWriter.Write(Path.Combine(temporary, name), part, Metadata);
            if (shards.Count > 1) WriteFile(Path.Combine(temporary, ShardIndex.FileName), stream => stream.Write(ShardIndex.Text(shards)));
            if (Directory.Exists(target)) Directory.Delete(target); // empty, or this throws
            Directory.Move(temporary, target);
        }
        catch
        {
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
            throw;
        }
    }

    private static void RequireEmpty(string target)
    {
        if (File.Exists(target)) throw new ModelFormatException($"{target} is a file; expected a folder that is empty or does not exist");
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new ModelFormatException($"{target} is not empty; nothing is overwritten. Choose another folder or empty it first");
    }

    /// <summary>Tensors in their order, as many to a shard as fit.</summary>
    private static List<(string Name, IReadOnlyList<TensorSource> Tensors)> Shards(IReadOnlyList<TensorSource> tensors, long most)
    {
        var parts = new List<List<TensorSource>> { new() };
        long bytes = 0;
        foreach (var tensor in tensors)
        {
            if (parts[^1].Count > 0 && bytes + tensor.Bytes > most)
            {
                parts.Add([]);
                bytes = 0;
            }
            parts[^1].Add(tensor);
            bytes += tensor.Bytes;
        }
        return parts.Count == 1
            ? [(WeightFiles.SingleFile, parts[0])]
            : [.. parts.Select((part, i) => ($"model-{i + 1:D5}-of-{parts.Count:D5}.safetensors", (IReadOnlyList<TensorSource>)part))];
    }

    private static void WriteFile(string path, Action<Stream> write)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        write(file);
        file.Flush(flushToDisk: true);
    }
}
