using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Models;

/// <summary>
/// A model folder as Hugging Face lays it out: config.json, generation_config.json, the tokenizer's files, and weights as safetensors in
/// one file or in shards. Whatever the architecture: the caller brings the layout that config.json describes.
/// </summary>
public sealed class HuggingFaceFolder : IDisposable
{
    private HuggingFaceFolder(string path, ModelDocuments documents, WeightFiles weights) =>
        (Path, Documents, Weights) = (path, documents, weights);

    public string Path { get; }

    public string ConfigPath => System.IO.Path.Combine(Path, ModelDocuments.ConfigFile);

    public ModelDocuments Documents { get; }

    public WeightFiles Weights { get; }

    /// <summary>
    /// Reads the documents and the heads of the weights; damaged weights show in <see cref="WeightFiles.Problems"/> and when they are
    /// loaded.
    /// </summary>
    /// <param name="weights">Name of the file that holds the weights, where it is another than Hugging Face's: a checkpoint's
    /// policy.safetensors.</param>
    /// <exception cref="ModelFormatException">No such folder, or it lacks config.json or weights.</exception>
    public static HuggingFaceFolder Open(string path, string? weights = null) =>
        new(path, ModelDocuments.Read(path), WeightFiles.Open(weights is null ? path : System.IO.Path.Combine(path, weights)));

    /// <summary>Loads the weights into a new arena of the given type.</summary>
    /// <exception cref="ModelFormatException">As <see cref="WeightFiles.LoadInto"/>: everything that does not fit, at once.</exception>
    public ParameterArena Load(ArenaLayout layout, bool trainable, Device? device = null, ScalarType dtype = ScalarType.Float32) =>
        Weights.Load(layout, trainable, device, dtype);

    /// <summary>
    /// Writes an arena, for instance one that was loaded here and then trained, with this folder's documents to another folder.
    /// </summary>
    /// <exception cref="ModelFormatException">The target is not empty.</exception>
    /// <exception cref="IOException">The disk has too little room, or cannot be written.</exception>
    public void Export(string target, ParameterArena arena, ExportSettings settings) =>
        ExportedModel.Write(target, Documents, TensorSource.Of(arena), settings);

    /// <summary>Copies the model to another folder, in another type or other shards, without loading it.</summary>
    /// <exception cref="ModelFormatException">The weights do not fit the layout, or the target is not empty.</exception>
    /// <exception cref="IOException">The disk has too little room, or cannot be written.</exception>
    public void Export(string target, ArenaLayout layout, ExportSettings settings) =>
        ExportedModel.Write(target, Documents, Weights.Sources(layout, settings.Dtype), settings);

    /// <summary>
    /// Writes a folder of initial values, tensor by tensor: the same as
    /// <see cref="ParameterArena.Initialize(long, InitializationSettings)"/> gives.
    /// </summary>
    /// <param name="config">The text of config.json, which <paramref name="layout"/> was made from.</param>
    /// <exception cref="ModelFormatException">The target is not empty.</exception>
    /// <exception cref="IOException">The disk has too little room, or cannot be written.</exception>
    public static void Initialize(
        string target, string config, ArenaLayout layout, long seed, InitializationSettings initialization, ExportSettings settings)
    {
        using var values = new InitialValues(seed, initialization);
        // One generator serves all tensors: it matters that the writer asks for them in this order.
        var tensors = layout.Slots.Select(slot => new TensorSource(slot.Name, slot.Shape, settings.Dtype, () => values.Pieces(slot))).ToList();
        ExportedModel.Write(target, ModelDocuments.Of(config), tensors, settings);
    }

    /// <summary>Which model this is; lower-case hexadecimal, see <see cref="ModelIdentity"/> for what it does and does not cover.</summary>
    public string Identity() => ModelIdentity.Of(Documents.Config, Weights);

    /// <param name="layout">Of the network that config.json describes; null: the files are looked at for themselves.</param>
    public ModelInspection Inspect(ArenaLayout? layout = null) => ModelInspection.Of(this, layout);

    public void Dispose() => Weights.Dispose();
}
