using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// The safetensors files of a checkpoint: a network's parameters, an optimizer's moments. Models of other origin are read with
/// <see cref="HuggingFaceFolder"/>.
/// </summary>
public static class SafeTensors
{
    /// <summary>
    /// Writes the parameters of an arena, in the type of <see cref="ParameterArena.Master"/>, under their Hugging Face names, and flushes them to
    /// the disk.
    /// </summary>
    public static void Save(string path, ParameterArena arena) => SafeTensorsWriter.Write(path, TensorSource.Of(arena));

    /// <summary>Writes tensors in their own types and flushes them to the disk; disposes the tensors.</summary>
    public static void Save(string path, IReadOnlyList<(string Name, Tensor Tensor)> tensors)
    {
        SafeTensorsWriter.Write(path, [.. tensors.Select(t => TensorSource.Of(t.Name, t.Tensor))]);
        foreach (var (_, tensor) in tensors) tensor.Dispose();
    }

    /// <summary>Reads a file into an arena that has exactly its tensors.</summary>
    /// <exception cref="ModelFormatException">Unreadable, or tensors that are missing, extra, misshaped or damaged: the message lists them
    /// all.</exception>
    public static void Load(string path, ParameterArena arena)
    {
        if (Directory.Exists(path)) throw new ModelFormatException($"{path} is a folder; expected a .safetensors file");
        using var weights = WeightFiles.Open(path);
        weights.LoadInto(arena);
    }

    /// <summary>Reads the flat tensors of an optimizer file into the given ones of equal shape.</summary>
    /// <exception cref="ModelFormatException">Unreadable, missing, damaged or of another shape: the message lists them all.</exception>
    public static void Load(string path, IReadOnlyList<(string Name, Tensor Target)> targets)
    {
        using var file = SafeTensorsFile.Open(path);
        var problems = file.Problems.ToList();
        foreach (var (name, target) in targets)
        {
            if (!file.Tensors.TryGetValue(name, out var entry)) problems.Add($"'{name}' is missing (expected {ProblemList.Shape(target.shape)})");
            else if (TensorType.Read(entry.Dtype) is null || !entry.Shape.SequenceEqual(target.shape))
                problems.Add($"'{name}' is {entry}, expected {TensorType.Readable} {ProblemList.Shape(target.shape)}");
        }
        ProblemList.Refuse(path, problems);
        foreach (var (name, target) in targets) file.CopyTo(file.Tensors[name], target);
    }
}
