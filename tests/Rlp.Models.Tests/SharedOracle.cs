using System.Globalization;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>A model with golden values that lies outside the repository; a test that needs it is skipped where it is absent.</summary>
internal sealed class SharedOracle : IDisposable
{
    /// <param name="name">A folder below shared/oracles.</param>
    public SharedOracle(string name)
    {
        var folder = Folder(name);
        var config = DecoderConfig.Read(Path.Combine(folder, "config.json"));
        Parameters = new ParameterArena(Rlp.Models.Decoder.Layout(config), trainable: false);
        SafeTensors.Load(Path.Combine(folder, "model.safetensors"), Parameters);
        Decoder = Rlp.Models.Decoder.Create(config, Parameters);
        Ids = [.. File.ReadAllText(Path.Combine(folder, "ids.txt")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(t => long.Parse(t, CultureInfo.InvariantCulture))];
        LogProbabilities = tensor(MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(folder, "logprobs.f32"))).ToArray())
            .view(Ids.Length, config.VocabularySize).DetachFromDisposeScope();
    }

    public ParameterArena Parameters { get; }

    public IDecoder Decoder { get; }

    public long[] Ids { get; }

    /// <summary>[tokens, vocabulary]: of the token after each of <see cref="Ids"/>.</summary>
    public Tensor LogProbabilities { get; }

    private static string Folder(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "oracles", name);
            if (Directory.Exists(candidate)) return candidate;
        }
        Assert.Skip($"no folder above {AppContext.BaseDirectory} holds shared/oracles/{name}");
        return "";
    }

    public void Dispose()
    {
        LogProbabilities.Dispose();
        Decoder.Dispose();
        Parameters.Dispose();
    }
}
