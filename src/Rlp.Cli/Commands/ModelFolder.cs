using Rlp.Models;
using Rlp.Models.Weights;
using Rlp.Training.Checkpoints;

namespace Rlp.Cli.Commands;

/// <summary>A model as the commands take it: a Hugging Face folder, or the policy of a training checkpoint.</summary>
internal sealed class ModelFolder : IDisposable
{
    private ModelFolder(HuggingFaceFolder files, DecoderConfig config, bool isCheckpoint) =>
        (Files, Config, Layout, IsCheckpoint) = (files, config, Decoder.Layout(config), isCheckpoint);

    public HuggingFaceFolder Files { get; }

    public DecoderConfig Config { get; }

    public ArenaLayout Layout { get; }

    /// <summary>It has no tokenizer of its own.</summary>
    public bool IsCheckpoint { get; }

    /// <exception cref="ModelFormatException">No model, or one of an architecture that is not implemented.</exception>
    public static ModelFolder Open(string path)
    {
        var isCheckpoint = !File.Exists(Path.Combine(path, WeightFiles.SingleFile)) && File.Exists(Path.Combine(path, CheckpointFolder.Policy));
        var files = HuggingFaceFolder.Open(path, isCheckpoint ? CheckpointFolder.Policy : null);
        try
        {
            return new ModelFolder(files, DecoderConfig.Parse(files.Documents.Config, files.ConfigPath), isCheckpoint);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    public void Dispose() => Files.Dispose();
}
