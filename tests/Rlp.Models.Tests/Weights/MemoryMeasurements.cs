using System.Diagnostics;
using Rlp.Models.Weights;
using static TorchSharp.torch;

namespace Rlp.Models.Tests.Weights;

/// <summary>
/// Peak memory and time of making and loading models. They need a process of their own, so they run only when asked for:
/// bin/Release/net10.0/Rlp.Models.Tests -explicit only -class Rlp.Models.Tests.Weights.MemoryMeasurements -showliveoutput
/// </summary>
public sealed class MemoryMeasurements : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory(Explicit = true)]
    [InlineData("200 MB", 16_384, 1024, 2816, 6)]
    [InlineData("Qwen3 1.7B", 151_936, 2048, 6144, 28)]
    public void Loading_takes_at_most_a_tenth_more_than_the_model(string name, long vocabulary, long hidden, long intermediate, int layers)
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("reads /proc");
        var layout = Layout(vocabulary, hidden, intermediate, layers);
        using (var warm = new ParameterArena(Layout(8, 8, 8, 1), trainable: false)) warm.Initialize(1, 1); // libtorch itself is no part of the model

        Measure($"{name}: init as bf16, {ByteSize.Text(layout.ParameterCount * 2)}", () =>
        {
            HuggingFaceFolder.Initialize(folder["model"], "{}", layout, 1, new InitializationSettings(), new ExportSettings { Dtype = ScalarType.BFloat16, MaxShardBytes = 1_000_000_000 });
            return null;
        });
        foreach (var type in new[] { ScalarType.BFloat16, ScalarType.Float32 })
        {
            var bytes = layout.Length * (type == ScalarType.Float32 ? 4 : 2);
            var peak = Measure($"{name}: load into {type}, {ByteSize.Text(bytes)}", () =>
            {
                using var model = HuggingFaceFolder.Open(folder["model"]);
                return model.Load(layout, trainable: false, dtype: type);
            });
            Assert.True(peak <= 1.1 * bytes, $"{ByteSize.Text(peak)} for {ByteSize.Text(bytes)}");
        }
        Measure($"{name}: export from disk to disk as f32", () =>
        {
            using var model = HuggingFaceFolder.Open(folder["model"]);
            model.Export(folder["copy"], layout, new ExportSettings());
            return null;
        });
    }

    /// <summary>How far the resident set rose above where it stood: all of it, mapped files included.</summary>
    private static long Measure(string what, Func<IDisposable?> work)
    {
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5"); // VmHWM begins anew
        var before = Status("VmRSS");
        var clock = Stopwatch.StartNew();
        using var result = work();
        var seconds = clock.Elapsed.TotalSeconds;
        var peak = Status("VmHWM") - before;
        TestContext.Current.TestOutputHelper!.WriteLine($"{what}: {seconds:0.0} s, peak {ByteSize.Text(peak)} above the {ByteSize.Text(before)} before; anonymous {ByteSize.Text(Status("RssAnon"))}, of files {ByteSize.Text(Status("RssFile"))} after");
        return peak;
    }

    private static long Status(string key) =>
        1024 * long.Parse(File.ReadLines("/proc/self/status").Single(l => l.StartsWith(key + ":", StringComparison.Ordinal)).Split(':')[1].Replace("kB", "").Trim());

    private static ArenaLayout Layout(long vocabulary, long hidden, long intermediate, int layers)
    {
        var layout = new ArenaLayout();
        layout.AddMatrix("embed", hidden, ("model.embed_tokens.weight", vocabulary));
        for (var i = 0; i < layers; i++)
        {
            var name = $"model.layers.{i}";
            layout.AddMatrix($"{i}.qkv", hidden, ($"{name}.self_attn.q_proj.weight", hidden), ($"{name}.self_attn.k_proj.weight", hidden / 2), ($"{name}.self_attn.v_proj.weight", hidden / 2));
            layout.AddMatrix($"{i}.o", hidden, ($"{name}.self_attn.o_proj.weight", hidden));
            layout.AddMatrix($"{i}.gate_up", hidden, ($"{name}.mlp.gate_proj.weight", intermediate), ($"{name}.mlp.up_proj.weight", intermediate));
            layout.AddMatrix($"{i}.down", intermediate, ($"{name}.mlp.down_proj.weight", hidden));
        }
        for (var i = 0; i < layers; i++)
        {
            layout.AddVector($"model.layers.{i}.input_layernorm.weight", hidden);
            layout.AddVector($"model.layers.{i}.post_attention_layernorm.weight", hidden);
        }
        layout.AddVector("model.norm.weight", hidden);
        return layout;
    }
}
