using System.Text.Json;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// What the files beside a tokenizer.json say about special tokens: tokenizer_config.json, special_tokens_map.json and
/// generation_config.json, each where it is there.
/// </summary>
internal sealed record SpecialTokenSettings
{
    public string? BeginOfText { get; init; }

    public string? EndOfText { get; init; }

    public string? Padding { get; init; }

    /// <summary>add_bos_token: whether the begin token stands before every text.</summary>
    public bool AddsBeginOfText { get; init; }

    /// <summary>added_tokens_decoder, in order of ids.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>eos_token_id of generation_config.json; empty where it has none.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    /// <exception cref="ModelFormatException">A file is damaged.</exception>
    public static SpecialTokenSettings Read(string directory)
    {
        var settings = new SpecialTokenSettings();
        Open("special_tokens_map.json", (_, root) => settings = settings with
        {
            BeginOfText = Content(root, "bos_token"),
            EndOfText = Content(root, "eos_token"),
            Padding = Content(root, "pad_token"),
        });
        Open("tokenizer_config.json", (path, root) => settings = settings with // says more, and has the last word
        {
            BeginOfText = Content(root, "bos_token") ?? settings.BeginOfText,
            EndOfText = Content(root, "eos_token") ?? settings.EndOfText,
            Padding = Content(root, "pad_token") ?? settings.Padding,
            AddsBeginOfText = Find(root, "add_bos_token")?.GetBoolean() ?? false,
            AddedTokens = Find(root, "added_tokens_decoder") is not { } added ? []
                : [.. added.EnumerateObject().Select(t => AddedTokenList.Read(t.Value, int.Parse(t.Name), path)).OrderBy(t => t.Id)],
        });
        Open("generation_config.json", (_, root) => settings = settings with
        {
            EndIds = Find(root, "eos_token_id") is not { } end ? []
                : end.ValueKind == JsonValueKind.Array ? [.. end.EnumerateArray().Select(e => e.GetInt32())] : [end.GetInt32()],
        });
        return settings;

        void Open(string name, Action<string, JsonElement> read)
        {
            var path = Path.Combine(directory, name);
            if (!File.Exists(path)) return;
            try
            {
                using var document = JsonDocument.Parse(File.ReadAllBytes(path));
                read(path, document.RootElement);
            }
            catch (Exception e)
                when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException or OverflowException)
            {
                throw new ModelFormatException($"{path}: {e.Message}", e);
            }
        }
    }

    /// <summary>A token is written as its text or as an object that holds it.</summary>
    private static string? Content(JsonElement root, string key) => Find(root, key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } token => token.GetProperty("content").GetString(),
        { } text => text.GetString(),
    };

    private static JsonElement? Find(JsonElement parent, string key) =>
        parent.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
