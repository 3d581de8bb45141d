using Rlp.Models;

namespace Rlp.Training.Recipes;

/// <summary>A model that others have trained, in a Hugging Face folder: what the first stages of a recipe start from.</summary>
public static class PretrainedModel
{
    /// <summary>Shape and identity of a folder's model. Reads config.json, the heads of the weights and a few bytes of each tensor.</summary>
    /// <exception cref="ModelFormatException">Absent, damaged, or weights that are not those that config.json describes.</exception>
    public static (DecoderConfig Config, string Identity) Inspect(string path)
    {
        using var folder = HuggingFaceFolder.Open(path);
        var config = DecoderConfig.Parse(folder.Documents.Config, folder.ConfigPath);
        folder.Weights.RequireTensorsOf(Decoder.Layout(config));
        return (config, folder.Identity());
    }

    /// <summary>Loads the weights that the recipe's stages start from.</summary>
    /// <exception cref="ModelFormatException">As in <see cref="Inspect"/>, or it is not the model that the recipe was read with.</exception>
    public static void Load(ModelSettings model, ParameterArena parameters)
    {
        var path = model.Path ?? throw new ArgumentException("the recipe names no model folder", nameof(model));
        using var folder = HuggingFaceFolder.Open(path);
        if (model.Identity is { } expected && folder.Identity() is var found && found != expected)
            throw new ModelFormatException(
                $"{path}: the model is another one than when the recipe was read (identity {found}, it was {expected}); "
                + "put the old one back, or start another run");
        folder.Weights.LoadInto(parameters);
    }
}
