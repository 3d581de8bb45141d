using System.Globalization;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Rlp.Models.Tests;

/// <summary>Log-probabilities that llama.cpp computed for random Qwen3 models (shared/oracles/README.md).</summary>
public sealed class OracleTests
{
    [Theory]
    [InlineData("qwen3-untied")]
    [InlineData("qwen3-tied")]
    [InlineData("qwen3-one-kv-head")]
    public void Log_probabilities_agree_with_an_independent_program(string name)
    {
        var folder = Folder(name);
        var config = DecoderConfig.Read(Path.Combine(folder, "config.json"));
        using var parameters = new ParameterArena(Qwen3Decoder.Layout(config), trainable: false);
        SafeTensors.Load(Path.Combine(folder, "model.safetensors"), parameters);
        using var decoder = new Qwen3Decoder(config, parameters);
        long[] ids = [.. File.ReadAllText(Path.Combine(folder, "ids.txt")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(t => long.Parse(t, CultureInfo.InvariantCulture))];
        var golden = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(folder, "logprobs.f32"))).ToArray();

        using var noGradient = no_grad();
        var logProbabilities = nn.functional.log_softmax(decoder.Logits(decoder.Hidden(tensor(ids).unsqueeze(0))), -1);

        var difference = (logProbabilities.flatten() - tensor(golden)).abs();
        Assert.Equal(golden.Length, ids.Length * config.VocabularySize);
        Assert.True(difference.max().item<float>() <= 1e-4, $"largest difference {difference.max().item<float>():e2}, mean {difference.mean().item<float>():e2}");
    }

    private static string Folder(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "oracles", "logprobs", name);
            if (Directory.Exists(candidate)) return candidate;
        }
        Assert.Skip($"shared/oracles/logprobs/{name} is not beside this checkout");
        return "";
    }
}
