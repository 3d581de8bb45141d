using System.Text.Json;

namespace Rlp.Models.Tokenizers;

/// <summary>
/// Reads a tokenizer.json that holds a byte-level BPE. Every key and component that is not implemented is refused by name: ignoring one
/// would give other ids than the model was trained on.
/// </summary>
internal sealed class TokenizerJson
{
    /// <summary>What ByteLevel splits by where use_regex is true (GPT-2).</summary>
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private readonly string path;
    private readonly List<SplitStep> splits = [];
    private bool composes;
    private bool byteLevel;
    private bool addsPrefixSpace;
    private SplitStep? words;

    private TokenizerJson(string path) => this.path = path;

    /// <exception cref="ModelFormatException">Damaged, or asks for something that is not implemented; the message names it.</exception>
    public static BytePairVocabulary Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return new TokenizerJson(path).Read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new ModelFormatException($"{path}: not a tokenizer.json: {e.Message}", e);
        }
    }

    private BytePairVocabulary Read(JsonElement root)
    {
        OnlyKeys(
            root, "the file", "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model");
        if (Find(root, "version") is { } version && version.GetString() != "1.0")
            throw Unsupported($"version {version.GetRawText()}", "\"1.0\"");
        foreach (var section in new[] { "truncation", "padding" })
            if (Find(root, section) is not null)
                throw Unsupported($"the section '{section}'", $"\"{section}\": null; lengths are decided by the recipe");
        Normalizer(Find(root, "normalizer"));
        PreTokenizer(
            Find(root, "pre_tokenizer") ?? throw Unsupported("a file without pre_tokenizer", "ByteLevel, or a Sequence that ends with it"));
        if (!byteLevel) throw Unsupported("a pre_tokenizer without ByteLevel", "ByteLevel, or a Sequence that ends with it");
        Decoder(Find(root, "decoder"));

        var model = Find(root, "model") ?? throw new ModelFormatException($"{path}: 'model' is missing");
        var entries = Vocabulary(model, out var ids);
        var merges = Merges(model, ids);
        var added = AddedTokens(Find(root, "added_tokens"), ids);
        return new BytePairVocabulary
        {
            Source = path,
            Entries = entries,
            Merges = merges,
            IgnoreMerges = Flag(model, "ignore_merges"),
            Composes = composes,
            Splits = splits,
            AddsPrefixSpace = addsPrefixSpace,
            Words = words,
            AddedTokens = added,
            BeginOfText = BeginOfText(Find(root, "post_processor")),
        };
    }

    private void Normalizer(JsonElement? normalizer)
    {
        if (normalizer is not { } n) return;
        switch (Type(n))
        {
            case "NFC":
                OnlyKeys(n, "normalizer NFC", "type");
                composes = true;
                break;
            case "Sequence":
                OnlyKeys(n, "normalizer Sequence", "type", "normalizers");
                foreach (var part in n.GetProperty("normalizers").EnumerateArray()) Normalizer(part);
                break;
            case var type:
                throw Unsupported($"normalizer '{type}'", "null, NFC, Sequence");
        }
    }

    private void PreTokenizer(JsonElement step)
    {
        var type = Type(step);
        if (byteLevel) throw Unsupported($"pre_tokenizer '{type}' after ByteLevel", "ByteLevel as the last one");
        switch (type)
        {
            case "Sequence":
                OnlyKeys(step, "pre_tokenizer Sequence", "type", "pretokenizers");
                foreach (var part in step.GetProperty("pretokenizers").EnumerateArray()) PreTokenizer(part);
                break;
            case "Split":
                OnlyKeys(step, "pre_tokenizer Split", "type", "pattern", "behavior", "invert");
                Split(step);
                break;
            case "Digits":
                OnlyKeys(step, "pre_tokenizer Digits", "type", "individual_digits");
                splits.Add(Step(Flag(step, "individual_digits") ? @"\p{N}" : @"\p{N}+"));
                break;
            case "ByteLevel":
                OnlyKeys(step, "pre_tokenizer ByteLevel", "type", "add_prefix_space", "trim_offsets", "use_regex");
                byteLevel = true;
                addsPrefixSpace = step.GetProperty("add_prefix_space").GetBoolean();
                if (Find(step, "use_regex")?.GetBoolean() ?? true) words = Step(Gpt2);
                break;
            default:
                throw Unsupported($"pre_tokenizer '{type}'", "Sequence, Split, Digits, ByteLevel");
        }
    }

    private void Split(JsonElement step)
    {
        var pattern = step.GetProperty("pattern");
        OnlyKeys(pattern, "the pattern of pre_tokenizer Split", "Regex", "String");
        var expression = Find(pattern, "Regex")?.GetString();
        var text = Find(pattern, "String")?.GetString();
        if (expression is null == text is null)
            throw new ModelFormatException(
                $"{path}: the pattern of pre_tokenizer Split is {pattern.GetRawText()}; expected one of Regex and String");
        var compiled = expression is not null
            ? SplitPattern.Parse(expression, $"{path}, pre_tokenizer")
            : SplitPattern.Literal(text!, $"{path}, pre_tokenizer");
        var invert = Flag(step, "invert");
        splits.Add(step.GetProperty("behavior").GetString() switch
        {
            "Isolated" => new SplitStep(expression ?? text!, compiled),
            "Removed" => new SplitStep(expression ?? text!, compiled, KeepsMatches: invert, KeepsRest: !invert),
            var behavior => throw Unsupported($"the behavior '{behavior}' of pre_tokenizer Split", "Isolated, Removed"),
        });
    }

    private SplitStep Step(string pattern) => new(pattern, SplitPattern.Parse(pattern, path));

    private void Decoder(JsonElement? decoder)
    {
        var type = decoder is { } d ? Type(d) : "null";
        if (type != "ByteLevel") throw Unsupported($"decoder '{type}'", "ByteLevel");
        // none of them changes the text
        OnlyKeys(decoder!.Value, "decoder ByteLevel", "type", "add_prefix_space", "trim_offsets", "use_regex");
    }

    private string?[] Vocabulary(JsonElement model, out Dictionary<string, int> ids)
    {
        OnlyKeys(
            model, "model", "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
            "ignore_merges", "vocab", "merges");
        if (Find(model, "type")?.GetString() is { } type and not "BPE") throw Unsupported($"model '{type}'", "BPE");
        if (Find(model, "dropout") is { } dropout && dropout.GetDouble() != 0) throw Unsupported($"dropout {dropout.GetRawText()}", "null");
        foreach (var key in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
            if (Find(model, key)?.GetString() is { Length: > 0 } affix) throw Unsupported($"{key} '{affix}'", "null or an empty text");
        if (Flag(model, "byte_fallback"))
            throw Unsupported("byte_fallback true", "false: in a byte-level vocabulary every byte is an entry");

        ids = [];
        foreach (var entry in model.GetProperty("vocab").EnumerateObject())
            if (!ids.TryAdd(entry.Name, Id(entry.Value, $"vocabulary entry '{entry.Name}'")))
                throw new ModelFormatException($"{path}: '{entry.Name}' is in the vocabulary twice");
        if (ids.Count == 0) throw new ModelFormatException($"{path}: the vocabulary is empty");
        var entries = new string?[ids.Values.Max() + 1];
        foreach (var (entry, id) in ids)
            entries[id] = entries[id] is { } other
                ? throw new ModelFormatException($"{path}: '{other}' and '{entry}' both have the id {id}")
                : entry;

        if (Find(model, "unk_token")?.GetString() is { } unknown)
            for (var value = 0; value < 256; value++)
                if (!ids.ContainsKey($"{ByteAlphabet.Character((byte)value)}") && value is not (0xC0 or 0xC1 or >= 0xF5))
                    throw Unsupported(
                        $"unk_token '{unknown}' in a vocabulary without the byte 0x{value:X2}",
                        "a vocabulary of all 256 bytes, or unk_token null");
        return entries;
    }

    private List<(int Left, int Right, int Merged)> Merges(JsonElement model, Dictionary<string, int> ids)
    {
        var merges = new List<(int, int, int)>();
        var number = 0;
        foreach (var merge in model.GetProperty("merges").EnumerateArray())
        {
            number++;
            string[] pair;
            if (merge.ValueKind == JsonValueKind.String)
            {
                if (merge.GetString()!.StartsWith("#version", StringComparison.Ordinal)) continue;
                pair = merge.GetString()!.Split(' ');
            }
            else
            {
                pair = [.. merge.EnumerateArray().Select(e => e.GetString()!)];
            }
            if (pair.Length != 2)
                throw new ModelFormatException($"{path}: merge {number} is {merge.GetRawText()}; expected \"a b\" or [\"a\", \"b\"]");
            merges.Add((Entry(pair[0]), Entry(pair[1]), Entry(pair[0] + pair[1])));

            int Entry(string text) => ids.TryGetValue(text, out var id)
                ? id
                : throw new ModelFormatException(
                    $"{path}: merge {number} ({merge.GetRawText()}) needs '{text}', which is not in the vocabulary");
        }
        return merges;
    }

    private List<AddedToken> AddedTokens(JsonElement? section, Dictionary<string, int> ids)
    {
        var added = new AddedTokenList(path, ids);
        if (section is not { } tokens) return added.Tokens;
        foreach (var token in tokens.EnumerateArray())
            added.Add(AddedTokenList.Read(token, Id(token.GetProperty("id"), "an added token"), path));
        return added.Tokens;
    }

    /// <summary>Only what the post-processor would add; the ids of a text itself do not depend on it.</summary>
    private int? BeginOfText(JsonElement? processor)
    {
        if (processor is not { } p) return null;
        switch (Type(p))
        {
            case "ByteLevel":
                return null; // corrects offsets, which are not computed here
            case "Sequence":
                OnlyKeys(p, "post_processor Sequence", "type", "processors");
                int? begin = null;
                foreach (var part in p.GetProperty("processors").EnumerateArray()) begin = BeginOfText(part) ?? begin;
                return begin;
            case "TemplateProcessing":
                OnlyKeys(p, "post_processor TemplateProcessing", "type", "single", "pair", "special_tokens");
                JsonElement[] pieces = [.. p.GetProperty("single").EnumerateArray()];
                if (pieces.Length is 0 or > 2 || !pieces[^1].TryGetProperty("Sequence", out _))
                    throw Unsupported(
                        $"the template {p.GetProperty("single").GetRawText()} of the post_processor",
                        "the text alone, or one special token before it");
                if (pieces.Length == 1) return null;
                var name = pieces[0].GetProperty("SpecialToken").GetProperty("id").GetString()!;
                JsonElement[] ids = [.. p.GetProperty("special_tokens").GetProperty(name).GetProperty("ids").EnumerateArray()];
                return ids.Length == 1
                    ? Id(ids[0], $"post_processor token '{name}'")
                    : throw Unsupported($"a post_processor token '{name}' of {ids.Length} ids", "one id");
            case var type:
                throw Unsupported($"post_processor '{type}'", "null, ByteLevel, TemplateProcessing, Sequence");
        }
    }

    private int Id(JsonElement value, string what) =>
        value.TryGetInt32(out var id) && id is >= 0 and < 1 << 24
            ? id
            : throw new ModelFormatException($"{path}: {what} has the id {value.GetRawText()}; expected a whole number below {1 << 24}");

    private string Type(JsonElement component) =>
        Find(component, "type")?.GetString() ?? throw new ModelFormatException($"{path}: {component.GetRawText()} has no type");

    private static JsonElement? Find(JsonElement parent, string key) =>
        parent.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private static bool Flag(JsonElement parent, string key) => Find(parent, key)?.GetBoolean() ?? false;

    private void OnlyKeys(JsonElement component, string name, params string[] known)
    {
        foreach (var property in component.EnumerateObject())
            if (!known.Contains(property.Name)) throw Unsupported($"the key '{property.Name}' of {name}", string.Join(", ", known));
    }

    private ModelFormatException Unsupported(string what, string supported) =>
        new($"{path}: {what} is not supported; supported: {supported}");
}
