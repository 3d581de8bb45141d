namespace Rlp.Models.Hub;

/// <summary>Which files of a repository a model consists of, and which names no repository may have.</summary>
public static class HubFiles
{
    private static readonly string[] Names =
        ["tokenizer.model", "merges.txt", "vocab.txt", "chat_template.jinja", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE"];

    /// <summary>
    /// Weights as safetensors, configurations, the tokenizer and the licence of the outermost folder. Not the same weights in other formats
    /// (.bin, .h5, .onnx, .gguf), nor in a second safetensors layout (consolidated*).
    /// </summary>
    public static bool IsWanted(string name)
    {
        if (name.Contains('/', StringComparison.Ordinal) || name.StartsWith('.')) return false;
        if (Names.Contains(name, StringComparer.Ordinal)) return true;
        return Path.GetExtension(name) switch
        {
            ".safetensors" => !name.StartsWith("consolidated", StringComparison.Ordinal),
            ".json" => true,
            _ => false,
        };
    }

    /// <summary>Whether a name stays inside the folder it is put into, on every system.</summary>
    internal static bool IsInside(string name) =>
        name.Length is > 0 and <= 1024
        && !name.Any(c => c is '\\' or ':' || char.IsControl(c))
        && name.Split('/').All(part => part is not ("" or "." or ".."));
}
