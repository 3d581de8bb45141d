using System.Globalization;
using System.Runtime.InteropServices;
using Rlp.Models;
using Rlp.Models.Tests;

namespace Rlp.Cli.Tests.Commands;

/// <summary>A folder with a configuration, the model that `rlp model init` made of it, and some token ids.</summary>
internal sealed class TinyModel : IDisposable
{
    public const int Vocabulary = 37;

    public static readonly IReadOnlyDictionary<string, DecoderConfig> Configs = new Dictionary<string, DecoderConfig>
    {
        ["qwen3"] = new Qwen3Config
        {
            VocabularySize = Vocabulary,
            HiddenSize = 20,
            IntermediateSize = 28,
            Layers = 3,
            AttentionHeads = 4,
            KeyValueHeads = 2,
            HeadDim = 6,
            InitializerRange = 0.2,
        },
        ["llama"] = new LlamaConfig
        {
            VocabularySize = Vocabulary,
            HiddenSize = 20,
            IntermediateSize = 28,
            Layers = 2,
            AttentionHeads = 3,
            KeyValueHeads = 1,
            HeadDim = 8,
            TieWordEmbeddings = false,
            InitializerRange = 0.2,
        },
        ["nemotron"] = new NemotronHConfig
        {
            VocabularySize = Vocabulary,
            HiddenSize = 20,
            IntermediateSize = 28,
            Layers = 4,
            Pattern = "MM*-",
            AttentionHeads = 4,
            KeyValueHeads = 2,
            HeadDim = 6,
            MambaHeads = 4,
            MambaHeadDim = 6,
            MambaGroups = 2,
            StateSize = 5,
            ChunkSize = 8,
            TieWordEmbeddings = false,
            InitializerRange = 0.2,
        },
    };

    private readonly TemporaryFolder folder = new();

    public string Model => this["model"];

    public string Ids => this["ids.txt"];

    public string this[string name] => folder[name];

    public static async Task<TinyModel> Create(string name, string dtype = "f32", int tokens = 40)
    {
        var model = new TinyModel();
        await File.WriteAllTextAsync(model["config.json"], Configs[name].ToJson());
        await RlpCommand.Succeed("model", "init", "--config", model["config.json"], "--seed", "3", "--out", model.Model, "--dtype", dtype);
        var random = new Random(5);
        await File.WriteAllTextAsync(model.Ids, string.Join("\n", Enumerable.Range(0, tokens).Select(_ => random.Next(Vocabulary).ToString(CultureInfo.InvariantCulture))));
        return model;
    }

    public async Task<byte[]> LogProbabilities(string folder, params string[] options)
    {
        var file = this[$"{Guid.NewGuid():N}.f32"];
        await RlpCommand.Succeed(["model", "logprobs", "--model", folder, "--ids", Ids, "--out", file, .. options]);
        return await File.ReadAllBytesAsync(file);
    }

    public static float[] Numbers(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes).ToArray();

    public static double LargestDifference(byte[] a, byte[] b)
    {
        Assert.Equal(a.Length, b.Length);
        return Numbers(a).Zip(Numbers(b), (x, y) => Math.Abs((double)x - y)).Max();
    }

    public void Dispose() => folder.Dispose();
}
