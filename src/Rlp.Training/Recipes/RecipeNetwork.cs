using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Training.Recipes;

/// <summary>The network and the tokenizer that a recipe describes.</summary>
public static class RecipeNetwork
{
    /// <exception cref="ModelFormatException">The folder of kind <see cref="TokenizerKind.Folder"/> holds no usable tokenizer, or another one than
    /// when the recipe was read.</exception>
    public static ITokenizer Tokenizer(Recipe recipe)
    {
        switch (recipe.Tokenizer.Kind)
        {
            case TokenizerKind.Characters:
                return new CharacterTokenizer(recipe.Tokenizer.Characters, recipe.Markers.Begin, recipe.Markers.End);
            case TokenizerKind.Bytes:
                return new ByteTokenizer(recipe.Markers.Begin, recipe.Markers.End);
            case TokenizerKind.Folder:
                var path = recipe.Tokenizer.Path
                    ?? throw new ModelFormatException($"recipe '{recipe.Name}': the tokenizer is that of a folder, and none is named; set tokenizer.path");
                var (tokenizer, file) = TokenizerFolder.Open(path, recipe.Markers.Begin, recipe.Markers.End);
                if (recipe.Tokenizer.Fingerprint is { } expected && expected != tokenizer.Fingerprint)
                    throw new ModelFormatException(
                        $"{file}: the tokenizer is another one than when the recipe was read (fingerprint {tokenizer.Fingerprint}, it was {expected}); "
                        + "put the old one back, or start another run");
                return tokenizer;
            default:
                throw new ArgumentOutOfRangeException(nameof(recipe), recipe.Tokenizer.Kind, "unknown tokenizer kind");
        }
    }

    /// <summary>That of <see cref="ModelSettings.Path"/>, else a Qwen3 decoder of the recipe's sizes over the tokenizer's vocabulary.</summary>
    /// <exception cref="ModelFormatException">No decoder can have that shape, or it has no row for some of the tokens.</exception>
    public static DecoderConfig Config(Recipe recipe, ITokenizer tokenizer)
    {
        var model = recipe.Model;
        if (model.Path is not { } path)
            return new Qwen3Config
            {
                VocabularySize = tokenizer.VocabularySize,
                HiddenSize = model.HiddenSize,
                IntermediateSize = model.IntermediateSize,
                Layers = model.Layers,
                AttentionHeads = model.AttentionHeads,
                KeyValueHeads = model.KeyValueHeads,
                HeadDim = model.HeadDim,
                RopeTheta = model.RopeTheta,
                RmsNormEps = model.RmsNormEps,
                TieWordEmbeddings = model.TieWordEmbeddings,
                InitializerRange = model.InitializerRange,
            }.Validated($"recipe '{recipe.Name}', model");
        var file = Path.Combine(path, ModelDocuments.ConfigFile);
        var config = DecoderConfig.Read(file);
        if (config.VocabularySize < tokenizer.VocabularySize)
            throw new ModelFormatException(
                $"{file}: vocab_size is {config.VocabularySize}, but the tokenizer has {tokenizer.VocabularySize} tokens; "
                + "take the tokenizer that the model was trained with");
        return config;
    }

    /// <summary>What the network computes in.</summary>
    public static ScalarType Dtype(Recipe recipe) => recipe.Model.Dtype switch
    {
        WeightType.Float32 => ScalarType.Float32,
        WeightType.Bfloat16 => ScalarType.BFloat16,
        var other => throw new ArgumentOutOfRangeException(nameof(recipe), other, "unknown type of weights"),
    };

    /// <summary>
    /// Full paths of what a checkpoint needs beside weights and config.json to be used as a model folder elsewhere: the tokenizer's files and
    /// the documents of <see cref="ModelSettings.Path"/>.
    /// </summary>
    public static IReadOnlyCollection<string> CarriedFiles(Recipe recipe)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (recipe.Model.Path is { } model)
            foreach (var file in ModelDocuments.CarriedIn(model)) files[Path.GetFileName(file)] = file;
        if (recipe.Tokenizer is { Kind: TokenizerKind.Folder, Path: { } tokenizer } && tokenizer != recipe.Model.Path)
            foreach (var file in ModelDocuments.CarriedIn(tokenizer).Where(IsTokenizers)) files[Path.GetFileName(file)] = file;
        return files.Values;
    }

    /// <summary>A licence and the settings of generation are the model's, not those of whoever lent it a tokenizer.</summary>
    private static bool IsTokenizers(string file) => Path.GetFileName(file) is { } name
        && !name.StartsWith("LICENSE", StringComparison.Ordinal) && name is not ("NOTICE" or "generation_config.json");
}
