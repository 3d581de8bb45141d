using System.Text;
using System.Text.Json.Nodes;
using Rlp.Models.Tokenizers;

namespace Rlp.Models.Tests.Tokenizers;

/// <summary>
/// A folder with a small byte-level tokenizer.json: ids 0 to 255 are the bytes, then one token per merge, then extra entries, then added
/// tokens.
/// </summary>
internal sealed class TokenizerFixture : IDisposable
{
    private readonly DirectoryInfo folder = System.IO.Directory.CreateTempSubdirectory("rlp-tokenizer-");
    private readonly List<(string Left, string Right)> merges = [];
    private readonly List<string> entries = [.. Enumerable.Range(0, 256).Select(b => $"{ByteAlphabet.Character((byte)b)}")];
    private readonly JsonArray added = [];

    public string Directory => folder.FullName;

    public bool MergesAsPairs { get; init; }

    public JsonNode? Normalizer { get; init; }

    public JsonNode PreTokenizer { get; init; } = ByteLevel();

    public JsonObject Model { get; } = [];

    public JsonObject Root { get; } = [];

    public static JsonObject ByteLevel(bool useRegex = true, bool addPrefixSpace = false) =>
        new() { ["type"] = "ByteLevel", ["add_prefix_space"] = addPrefixSpace, ["trim_offsets"] = true, ["use_regex"] = useRegex };

    public static JsonObject Split(string regex, string behavior = "Isolated", bool invert = false) =>
        new() { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = regex }, ["behavior"] = behavior, ["invert"] = invert };

    public static JsonObject Sequence(params JsonNode[] steps) => new() { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(steps) };

    /// <summary>The two texts become one token, the next free id. Texts are UTF-8, not the byte alphabet.</summary>
    public TokenizerFixture Merge(string left, string right)
    {
        merges.Add((Written(left), Written(right)));
        return Entry(left + right);
    }

    /// <summary>An entry that no merge leads to.</summary>
    public TokenizerFixture Entry(string text)
    {
        entries.Add(Written(text));
        return this;
    }

    public TokenizerFixture WithoutByte(byte value)
    {
        entries[value] = $"unused {value}";
        return this;
    }

    public TokenizerFixture Added(
        string content, bool special = true, bool normalized = false, bool leftStrip = false, bool rightStrip = false,
        bool singleWord = false, int? id = null)
    {
        added.Add(new JsonObject
        {
            ["id"] = id ?? entries.Count + added.Count,
            ["content"] = content,
            ["single_word"] = singleWord,
            ["lstrip"] = leftStrip,
            ["rstrip"] = rightStrip,
            ["normalized"] = normalized,
            ["special"] = special,
        });
        return this;
    }

    public TokenizerFixture Thinking() => Added("<think>", special: false).Added("</think>", special: false);

    public void Write(string file, string content) => File.WriteAllText(Path.Combine(Directory, file), content);

    public string Write()
    {
        var vocabulary = new JsonObject();
        for (var id = 0; id < entries.Count; id++) vocabulary[entries[id]] = id;
        var model = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = vocabulary,
            ["merges"] = new JsonArray(
                [.. merges.Select(m => MergesAsPairs ? new JsonArray(m.Left, m.Right) : (JsonNode)$"{m.Left} {m.Right}")]),
        };
        foreach (var (key, value) in Model) model[key] = value?.DeepClone();
        var root = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = added.DeepClone(),
            ["normalizer"] = Normalizer?.DeepClone(),
            ["pre_tokenizer"] = PreTokenizer.DeepClone(),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(),
            ["model"] = model,
        };
        foreach (var (key, value) in Root) root[key] = value?.DeepClone();
        Write("tokenizer.json", root.ToJsonString());
        return Directory;
    }

    public ITokenizer Open(string begin = "<think>", string end = "</think>") => TokenizerFolder.Open(Write(), begin, end).Tokenizer;

    public void Dispose() => folder.Delete(recursive: true);

    private static string Written(string text) => ByteAlphabet.Write(Encoding.UTF8.GetBytes(text));
}
