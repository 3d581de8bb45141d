using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Rlp.Models;
using Rlp.Models.Weights;

namespace Rlp.Training.Tests.Pretrained;

/// <summary>Small model folders as others would hand them over: config.json, safetensors, and a tokenizer's files.</summary>
internal static class ModelFolder
{
    /// <summary>Rows of the models beyond their tokenizers' vocabularies.</summary>
    public const int SpareRows = 5;

    private const string Alphabet = "0123456789+-=\n";

    private static readonly string[] Merges = ["1 0", "= 1", "+ 1"];

    public static TheoryData<string> Architectures => ["qwen3", "llama", "nemotron"];

    /// <summary>Random weights of an architecture; qwen3 and nemotron come with byte-level BPE, llama with SentencePiece.</summary>
    public static string Write(string path, string architecture, long seed = 7, bool addsBeginOfText = false)
    {
        var tokens = architecture == "llama" ? SentencePieces().Count : 256 + Merges.Length + 3;
        DecoderConfig config = architecture switch
        {
            "qwen3" => new Qwen3Config
            {
                VocabularySize = tokens + SpareRows,
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 2,
                AttentionHeads = 4,
                KeyValueHeads = 2,
                HeadDim = 4,
            },
            "llama" => new LlamaConfig
            {
                VocabularySize = tokens + SpareRows,
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 2,
                AttentionHeads = 4,
                KeyValueHeads = 2,
                HeadDim = 4,
                TieWordEmbeddings = false,
            },
            _ => new NemotronHConfig
            {
                VocabularySize = tokens + SpareRows,
                HiddenSize = 16,
                IntermediateSize = 24,
                Layers = 4,
                Pattern = "M*-M",
                AttentionHeads = 4,
                KeyValueHeads = 2,
                HeadDim = 4,
                MambaHeads = 4,
                MambaHeadDim = 4,
                MambaGroups = 2,
                StateSize = 6,
                ChunkSize = 8,
                TieWordEmbeddings = false,
            },
        };
        config = config with { InitializerRange = 0.2 };
        HuggingFaceFolder.Initialize(path, config.ToJson(), Rlp.Models.Decoder.Layout(config), seed, config.Initialization, new ExportSettings());
        if (architecture == "llama") WriteSentencePieces(Path.Combine(path, "tok64.bin"));
        else WriteBytePairs(path, addsBeginOfText);
        return path;
    }

    private static List<(string Text, float Score)> SentencePieces() =>
    [
        ("<unk>", 0), ("\n<s>\n", 0), ("\n</s>\n", 0), ("<think>", 0), ("</think>", 0), (" ", -1),
        .. Alphabet.Select((c, i) => ($"{c}", -2f - i)), ("10", -0.5f), ("=1", -0.25f),
    ];

    /// <summary>llama2.c's format.</summary>
    private static void WriteSentencePieces(string file)
    {
        using var stream = File.Create(file);
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(word, 16);
        stream.Write(word);
        foreach (var (text, score) in SentencePieces())
        {
            BinaryPrimitives.WriteSingleLittleEndian(word, score);
            stream.Write(word);
            BinaryPrimitives.WriteInt32LittleEndian(word, Encoding.UTF8.GetByteCount(text));
            stream.Write(word);
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
    }

    private static void WriteBytePairs(string path, bool addsBeginOfText)
    {
        var vocabulary = new JsonObject();
        // GPT-2's alphabet: a printable byte is its own character, the others count up from 256.
        var others = 256;
        for (var b = 0; b < 256; b++) vocabulary[$"{(char)(b is (> 32 and < 127) or (> 160 and not 173) ? b : others++)}"] = b;
        foreach (var merge in Merges) vocabulary[merge.Replace(" ", "", StringComparison.Ordinal)] = vocabulary.Count;
        var added = new JsonArray();
        foreach (var text in new[] { "<|begin|>", "<think>", "</think>" })
            added.Add(new JsonObject
            {
                ["id"] = vocabulary.Count + added.Count,
                ["content"] = text,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            });
        JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray([.. Merges.Select(m => (JsonNode)m)]) },
        };
        File.WriteAllText(Path.Combine(path, "tokenizer.json"), tokenizer.ToJsonString());
        var settings = new JsonObject { ["bos_token"] = "<|begin|>", ["add_bos_token"] = addsBeginOfText };
        File.WriteAllText(Path.Combine(path, "tokenizer_config.json"), settings.ToJsonString());
    }
}
