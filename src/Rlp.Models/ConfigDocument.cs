using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Rlp.Models;

/// <summary>
/// A config.json, read key by key. Whatever is left in the end must be known to leave the mathematics alone: a key that nobody understands is
/// refused rather than ignored, for a decoder that computes something else than its file says would go unnoticed.
/// </summary>
internal sealed class ConfigDocument
{
    // Python's json writes Infinity and NaN bare, which is no JSON; transformers 5 writes {"__float__": "Infinity"}.
    private const string Tag = "__float__";

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Book-keeping, generation defaults, initialisation and speed: nothing here changes what a forward pass computes.</summary>
    private static readonly HashSet<string> Harmless =
    [
        "architectures", "model_type", "transformers_version", "auto_map", "torch_dtype", "dtype", "name_or_path", "tokenizer_class", "processor_class",
        "prefix", "finetuning_task", "task_specific_params", "problem_type", "id2label", "label2id", "num_labels", "max_position_embeddings",
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
        "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens", "bad_words_ids", "use_cache", "pretraining_tp",
        "output_attentions", "output_hidden_states", "output_scores", "return_dict", "return_dict_in_generate", "torchscript", "use_bfloat16",
        "tf_legacy_loss", "chunk_size_feed_forward", "remove_invalid_values", "attn_implementation", "initializer_range",
        "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty",
        "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size", "num_return_sequences", "exponential_decay_length_penalty", "generation_config", "cache_implementation",
        "unsloth_version", "unsloth_fixed", "is_llama_config", "max_sequence_length", "transformers.js_config",
    ];

    private readonly JsonElement root;
    private readonly HashSet<string> read = [];

    /// <exception cref="ModelFormatException">Not a JSON object.</exception>
    public ConfigDocument(string json, string source)
    {
        Source = source;
        try
        {
            using var document = JsonDocument.Parse(QuoteSpecialNumbers(json));
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{source}: not JSON: {e.Message}", e);
        }
        if (root.ValueKind != JsonValueKind.Object) throw new ModelFormatException($"{source}: expected a JSON object, found {root.ValueKind}");
        foreach (var (name, count) in root.EnumerateObject().CountBy(p => p.Name))
        {
            if (count > 1) throw new ModelFormatException($"{source}: '{name}' is there {count} times; keep one of them");
        }
    }

    private ConfigDocument(JsonElement root, string source) => (this.root, Source) = (root, source);

    /// <summary>What messages call the document.</summary>
    public string Source { get; }

    /// <summary>The document as an object that can be changed.</summary>
    public static JsonObject Object(string json) => JsonNode.Parse(QuoteSpecialNumbers(json))!.AsObject();

    /// <summary>The inverse of <see cref="Object"/>, Infinity and NaN bare as they were.</summary>
    public static string Text(JsonObject json)
    {
        var text = json.ToJsonString(Indented);
        foreach (var number in new[] { "-Infinity", "Infinity", "NaN" }) text = text.Replace($"\"{Tag}{number}\"", number, StringComparison.Ordinal);
        return text;
    }

    public static JsonNode Number(double value) =>
        double.IsFinite(value) ? value : JsonValue.Create(Tag + (double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity"));

    /// <summary>The architecture that "architectures" and "model_type" name.</summary>
    /// <exception cref="ModelFormatException">None, an unknown one, or two different ones.</exception>
    public string Architecture()
    {
        (string Architecture, string ModelType)[] known =
            [(Qwen3Config.Name, Qwen3Config.Type), (LlamaConfig.Name, LlamaConfig.Type), (NemotronHConfig.Name, NemotronHConfig.Type)];
        var architectures = Strings("architectures");
        var modelType = Find("model_type") is { } v ? v.ValueKind == JsonValueKind.String ? v.GetString() : v.GetRawText() : null;
        if (architectures is { Count: not 1 })
            throw new ModelFormatException($"{Source}: 'architectures' lists {architectures.Count} entries; expected one");
        if (architectures is null && modelType is null)
            throw new ModelFormatException($"{Source}: neither 'architectures' nor 'model_type' names an architecture; supported: {Supported()}");
        var byName = known.FirstOrDefault(k => k.Architecture == architectures?[0]);
        var byType = known.FirstOrDefault(k => k.ModelType == modelType);
        if (architectures is not null && byName == default)
            throw new ModelFormatException($"{Source}: 'architectures' is [\"{architectures[0]}\"]; supported: {Supported()}");
        if (modelType is not null && byType == default)
            throw new ModelFormatException($"{Source}: 'model_type' is \"{modelType}\"; supported: {string.Join(", ", known.Select(k => k.ModelType))}");
        if (byName != default && byType != default && byName != byType)
            throw new ModelFormatException($"{Source}: 'architectures' says {byName.Architecture} and 'model_type' {modelType}; which is it?");
        return byName == default ? byType.Architecture : byName.Architecture;

        string Supported() => string.Join(", ", known.Select(k => k.Architecture));
    }

    /// <summary>The value of a key; null where it is absent or null.</summary>
    public JsonElement? Find(string key)
    {
        read.Add(key);
        return root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public int Integer(string key, int? fallback = null) => Find(key) switch
    {
        null => fallback ?? throw new ModelFormatException($"{Source}: '{key}' is missing"),
        { ValueKind: JsonValueKind.Number } v when v.TryGetInt32(out var i) => i,
        { } v => throw Wrong(key, v, "a whole number"),
    };

    public double Number(string key, double? fallback = null) => Find(key) switch
    {
        null => fallback ?? throw new ModelFormatException($"{Source}: '{key}' is missing"),
        { } v => Number(v) ?? throw Wrong(key, v, "a number"),
    };

    public bool Flag(string key, bool fallback) => Find(key) switch
    {
        null => fallback,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } v => throw Wrong(key, v, "true or false"),
    };

    /// <summary>Two numbers; null where absent.</summary>
    public (double, double)? Pair(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } v when v.GetArrayLength() == 2 && Number(v[0]) is { } a && Number(v[1]) is { } b => (a, b),
        { } v => throw Wrong(key, v, "two numbers"),
    };

    public IReadOnlyList<string>? Strings(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } v when v.EnumerateArray().All(e => e.ValueKind == JsonValueKind.String) =>
            [.. v.EnumerateArray().Select(e => e.GetString()!)],
        { } v => throw Wrong(key, v, "a list of strings"),
    };

    public string? String(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } v => v.GetString(),
        { } v => throw Wrong(key, v, "a string"),
    };

    /// <summary>An object inside this one, to be read and finished like it; null where absent.</summary>
    public ConfigDocument? Inner(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } v => new ConfigDocument(v, $"{Source}: '{key}'"),
        { } v => throw Wrong(key, v, "an object"),
    };

    /// <summary>A key that may be absent or have one of these values only, or a list of them.</summary>
    /// <param name="supported">As written in JSON.</param>
    public void Only(string key, params string[] supported)
    {
        if (Find(key) is not { } v) return;
        var same = v.ValueKind == JsonValueKind.Array ? v.EnumerateArray().All(Same) : Same(v);
        if (!same) throw new ModelFormatException($"{Source}: '{key}' is {Short(v)}; supported: {string.Join(", ", supported)}");

        bool Same(JsonElement value) =>
            supported.Any(s => value.GetRawText() == s
                || (value.ValueKind == JsonValueKind.Number && double.TryParse(s, out var number) && value.GetDouble() == number));
    }

    /// <summary>Keys of mathematics that is not implemented: they may be absent, null, false, 0 or empty.</summary>
    public void Off(params string[] keys)
    {
        foreach (var key in keys)
        {
            if (Find(key) is not { } v) continue;
            var off = v.ValueKind switch
            {
                JsonValueKind.False => true,
                JsonValueKind.Number => v.GetDouble() == 0,
                JsonValueKind.Array => v.GetArrayLength() == 0,
                JsonValueKind.Object => !v.EnumerateObject().Any(),
                _ => false,
            };
            if (!off) throw new ModelFormatException($"{Source}: '{key}' is {Short(v)}, which is not implemented; supported: absent, null, false, 0 or empty");
        }
    }

    /// <summary>Keys that this architecture may have and that change nothing in it.</summary>
    public void Ignore(params string[] keys) => read.UnionWith(keys);

    /// <exception cref="ModelFormatException">A key is left that nobody has read and that is not known to be harmless.</exception>
    public void RefuseTheRest(string reader)
    {
        foreach (var property in root.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.Null || property.Name.StartsWith('_')) continue; // absent; the library's own
            if (read.Contains(property.Name) || Harmless.Contains(property.Name)) continue;
            throw new ModelFormatException(
                $"{Source}: '{property.Name}' is {Short(property.Value)}; {reader} has no such key here, so what it asks for would not be computed. "
                + "Remove it if it changes nothing");
        }
    }

    private ModelFormatException Wrong(string key, JsonElement value, string expected) => new($"{Source}: '{key}' is {Short(value)}; expected {expected}");

    private static string Short(JsonElement value)
    {
        var text = value.GetRawText();
        return text.Length <= 80 ? text : text[..77] + "...";
    }

    private static double? Number(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.Object when value.TryGetProperty(Tag, out var inner) => Special(inner.ToString()),
        JsonValueKind.String => Special(value.GetString()!),
        _ => null,
    };

    private static double? Special(string text) => text.Replace(Tag, "", StringComparison.Ordinal) switch
    {
        "Infinity" => double.PositiveInfinity,
        "-Infinity" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => null,
    };

    /// <summary>Writes Python's bare Infinity, -Infinity and NaN as tagged strings.</summary>
    private static string QuoteSpecialNumbers(string json)
    {
        var result = new StringBuilder(json.Length);
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            if (inString)
            {
                if (json[i] == '\\' && i + 1 < json.Length) result.Append(json[i++]);
                else if (json[i] == '"') inString = false;
            }
            else if (json[i] == '"')
            {
                inString = true;
            }
            else if (new[] { "-Infinity", "Infinity", "NaN" }.FirstOrDefault(n => json.AsSpan(i).StartsWith(n)) is { } number)
            {
                result.Append('"').Append(Tag).Append(number).Append('"');
                i += number.Length - 1;
                continue;
            }
            result.Append(json[i]);
        }
        return result.ToString();
    }
}
