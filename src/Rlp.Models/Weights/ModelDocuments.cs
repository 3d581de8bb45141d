namespace Rlp.Models.Weights;

/// <summary>What a Hugging Face folder holds beside its weights and what an export carries along unchanged.</summary>
/// <param name="Config">The text of config.json.</param>
/// <param name="CarriedFiles">Full paths of generation_config.json, the tokenizer's files and the licence.</param>
public sealed record ModelDocuments(string Config, IReadOnlyList<string> CarriedFiles)
{
    public const string ConfigFile = "config.json";

    private static readonly string[] Carried =
    [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt",
        "merges.txt", "tokenizer.model", "chat_template.jinja", "chat_template.json", "preprocessor_config.json", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE",
    ];

    private static readonly string[] TokenizerPatterns = ["tok*.bin", "tok*.vocab"];

    /// <summary>A model that has only a configuration yet.</summary>
    public static ModelDocuments Of(string config) => new(config, []);

    /// <exception cref="ModelFormatException">The folder, or its config.json, is absent or unreadable.</exception>
    public static ModelDocuments Read(string folder)
    {
        if (!Directory.Exists(folder))
            throw new ModelFormatException($"{folder}: the folder does not exist; expected a Hugging Face model folder");
        return new ModelDocuments(ReadText(Path.Combine(folder, ConfigFile)), CarriedIn(folder));
    }

    /// <summary>The carried files of a folder that may have no config.json: full paths; also llama2.c's tok512.bin and the like.</summary>
    public static IReadOnlyList<string> CarriedIn(string folder) =>
        [.. Carried.Select(name => Path.Combine(folder, name)).Where(File.Exists)
            .Concat(TokenizerPatterns.SelectMany(p => Directory.EnumerateFiles(folder, p).Order(StringComparer.Ordinal)))
            .Distinct(StringComparer.Ordinal)];

    private static string ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ModelFormatException($"{path}: the file does not exist", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelFormatException($"{path}: the file cannot be read: {e.Message}", e);
        }
    }
}
