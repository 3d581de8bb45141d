namespace Rlp.Models.Weights;

/// <summary>One tensor of an inspected model.</summary>
/// <param name="Dtype">As safetensors spells it.</param>
/// <param name="File">Name of the file that holds it.</param>
public sealed record InspectedTensor(string Name, string Dtype, IReadOnlyList<long> Shape, long Bytes, string File);

/// <summary>What a model folder holds, for people to look at.</summary>
/// <param name="ModelType">config.json's model_type; null where it has none.</param>
/// <param name="Parameters">Elements of all tensors.</param>
/// <param name="ParametersByDtype">Elements by stored type.</param>
/// <param name="Files">Names of the weight files and their bytes.</param>
/// <param name="CarriedFiles">Names of the documents that an export carries along.</param>
/// <param name="Problems">Everything that keeps it from being loaded; empty for a sound model.</param>
public sealed record ModelInspection(
    string Path,
    string? ModelType,
    long Parameters,
    IReadOnlyDictionary<string, long> ParametersByDtype,
    IReadOnlyList<(string Name, long Bytes)> Files,
    IReadOnlyList<InspectedTensor> Tensors,
    IReadOnlyList<string> CarriedFiles,
    IReadOnlyList<string> Problems)
{
    internal static ModelInspection Of(HuggingFaceFolder folder, ArenaLayout? layout)
    {
        var stored = folder.Weights.Tensors.Values.OrderBy(t => t.Entry.Name, StringComparer.Ordinal).ToList();
        return new ModelInspection(
            folder.Path,
            ConfigText.String(folder.Documents.Config, "model_type", folder.ConfigPath),
            stored.Sum(t => Elements(t.Entry)),
            stored.GroupBy(t => t.Entry.Dtype).ToDictionary(g => g.Key, g => g.Sum(t => Elements(t.Entry))),
            [.. folder.Weights.Files.Select(f => (System.IO.Path.GetFileName(f.Path), f.Length))],
            [.. stored.Select(Describe)],
            [.. folder.Documents.CarriedFiles.Select(f => System.IO.Path.GetFileName(f))],
            layout is null ? folder.Weights.Problems : folder.Weights.ProblemsFor(layout));
    }

    private static InspectedTensor Describe(StoredTensor tensor)
    {
        var (file, entry) = tensor;
        return new InspectedTensor(entry.Name, entry.Dtype, entry.Shape, entry.End - entry.Begin, System.IO.Path.GetFileName(file.Path));
    }

    /// <summary>A tensor with a problem has no bytes, and its shape may be any number.</summary>
    private static long Elements(TensorEntry entry) => entry.End == entry.Begin ? 0 : entry.Elements;
}
