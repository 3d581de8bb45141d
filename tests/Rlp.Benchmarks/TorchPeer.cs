using System.Diagnostics;
using System.Text.Json;
using Rlp.Models;

namespace Rlp.Benchmarks;

/// <summary>The peer of the GPU's figures: Peers/qwen3_torch.py in a Python of its own, so that neither side's libraries meet the other's.</summary>
internal sealed class TorchPeer(string device)
{
    /// <summary>The environment variable that names the Python interpreter.</summary>
    public const string Variable = "RLP_BENCH_PYTHON";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Why the peer gave no answer, for the notes of a report.</summary>
    public List<string> Failures { get; } = [];

    /// <summary>The model's sizes under the peer's names.</summary>
    public static object Config(Qwen3Config config) => new
    {
        Vocabulary = config.VocabularySize,
        Hidden = config.HiddenSize,
        Inner = config.IntermediateSize,
        config.Layers,
        Heads = config.AttentionHeads,
        KvHeads = config.KeyValueHeads,
        config.HeadDim,
        Theta = config.RopeTheta,
        Eps = config.RmsNormEps,
    };

    /// <summary>The peer's answer; null where it failed, which <see cref="Failures"/> tells.</summary>
    /// <param name="request">What the mode takes.</param>
    public JsonElement? Ask(string mode, Dictionary<string, object> request)
    {
        var arguments = new Dictionary<string, object>(request) { ["mode"] = mode, ["device"] = device };
        var script = Path.Combine(AppContext.BaseDirectory, "Peers", "qwen3_torch.py");
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named : "python3", [script, JsonSerializer.Serialize(arguments, Json)])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var lastError = "";
            process.ErrorDataReceived += (_, line) =>
            {
                if (string.IsNullOrWhiteSpace(line.Data)) return;
                lastError = line.Data.Trim();
                Console.Error.WriteLine(line.Data);
            };
            process.BeginErrorReadLine();
            var answer = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode == 0) return JsonDocument.Parse(answer).RootElement;
            Failures.Add($"PyTorch gave no figure for {mode}: {lastError}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            Failures.Add($"PyTorch gave no figure for {mode}: {start.FileName} does not start ({e.Message}); set {Variable}");
        }
        return null;
    }
}
