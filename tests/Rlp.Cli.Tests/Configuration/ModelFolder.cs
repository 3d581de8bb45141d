using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Rlp.Models;

namespace Rlp.Cli.Tests.Configuration;

/// <summary>A model folder with weights of zeros and a SentencePiece list, written byte by byte.</summary>
internal sealed class ModelFolder : IDisposable
{
    public ModelFolder(bool nemotron = false, string begin = "<think>")
    {
        DecoderConfig config = nemotron
            ? new NemotronHConfig
            {
                VocabularySize = Rows,
                HiddenSize = 8,
                IntermediateSize = 12,
                Layers = 3,
                Pattern = "M*-",
                AttentionHeads = 2,
                KeyValueHeads = 1,
                HeadDim = 4,
                MambaHeads = 2,
                MambaHeadDim = 4,
                MambaGroups = 1,
                StateSize = 4,
            }
            : new Qwen3Config
            {
                VocabularySize = Rows,
                HiddenSize = 8,
                IntermediateSize = 12,
                Layers = 1,
                AttentionHeads = 2,
                KeyValueHeads = 1,
                HeadDim = 4,
            };
        File.WriteAllText(Config, config.ToJson());
        WriteZeros(Rlp.Models.Decoder.Layout(config));
        File.WriteAllText(Path("tokenizer.vocab"), $"<unk>\t0\n<s>\t0\n</s>\t0\n▁\t-1\n{begin}\t0\n</think>\t0\na\t-2\n");
    }

    public const int Rows = 9;

    public string Folder { get; } = Directory.CreateTempSubdirectory("rlp-model").FullName;

    public string Config => Path("config.json");

    public string Weights => Path("model.safetensors");

    /// <summary>Lines that a recipe needs to start from this folder.</summary>
    public string Recipe => $"model.path = {Written}\ntokenizer.kind = folder\n";

    /// <summary>The folder as a HOCON string.</summary>
    public string Written => HoconQuoted(Folder);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private string Path(string name) => System.IO.Path.Combine(Folder, name);

    private static string HoconQuoted(string text) => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal)}\"";

    private void WriteZeros(ArenaLayout layout)
    {
        var header = new JsonObject();
        long at = 0;
        foreach (var slot in layout.Slots)
        {
            header[slot.Name] = new JsonObject
            {
                ["dtype"] = "F32",
                ["shape"] = new JsonArray([.. slot.Shape.Select(n => (JsonNode)n)]),
                ["data_offsets"] = new JsonArray(at, at += slot.Length * sizeof(float)),
            };
        }
        var json = Encoding.UTF8.GetBytes(header.ToJsonString());
        var file = new byte[sizeof(long) + json.Length + at];
        BinaryPrimitives.WriteInt64LittleEndian(file, json.Length);
        json.CopyTo(file, sizeof(long));
        File.WriteAllBytes(Weights, file);
    }
}
