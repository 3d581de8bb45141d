using System.Globalization;
using System.Text.Json;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;
using Rlp.Models;
using Rlp.Training;
using Rlp.Training.Engines;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlp.Benchmarks;

/// <summary>The tables of decoding and learning on a GPU, with random weights, beside plain PyTorch on the same GPU.</summary>
internal static class GpuSection
{
    private const double LargestDifference = 1e-3; // of logits that lie some units apart

    /// <param name="MicroBatchTokens">Tokens that both sides take at once: what fits into 80 GB.</param>
    private sealed record Shape(string Name, Qwen3Config Config, int MicroBatchTokens);

    private sealed record DecodeCase(int Groups, int GroupSize, int Prefix, int NewTokens)
    {
        public int Sequences => Groups * GroupSize;

        public string Name => $"{Sequences} sequence{(Sequences == 1 ? "" : "s")} ({Groups} x {GroupSize}), prefix {Prefix} + {NewTokens}";
    }

    private static Qwen3Config Qwen3(int hidden, int inner) => new()
    {
        VocabularySize = 151_936,
        HiddenSize = hidden,
        IntermediateSize = inner,
        Layers = 28,
        AttentionHeads = 16,
        KeyValueHeads = 8,
        HeadDim = 128,
    };

    /// <param name="settings">Quick: a small model, on the CPU where there is no GPU.</param>
    public static SectionReport Measure(BenchmarkSettings settings)
    {
        var device = cuda.is_available() ? CUDA : CPU;
        if (device.type == DeviceType.CPU && !settings.Quick)
            return new SectionReport("gpu", [], ["nothing was measured: no CUDA device, or libtorch is the build without CUDA"]);

        Shape[] shapes = settings.Quick
            ? [new("small", BenchmarkModel.Small, 256)]
            : [new("Qwen3-0.6B", Qwen3(1024, 3072), 8192), new("Qwen3-1.7B", Qwen3(2048, 6144), 4096)];
        DecodeCase[] cases = settings.Quick
            ? [new(1, 1, 16, 8), new(2, 4, 16, 8)]
            : [new(1, 1, 128, 128), new(1, 16, 128, 128), new(4, 16, 128, 128), new(16, 16, 128, 128), new(4, 16, 512, 128)];
        var peer = new TorchPeer(device.type == DeviceType.CUDA ? "cuda" : "cpu");
        var notes = new List<string>();
        if (Agreement(peer, device) is { } agreement) notes.Add(agreement);
        if (peer.Ask("facts", [])?.Deserialize<Dictionary<string, string>>() is { } facts) notes.Add($"{facts["device"]}; the peer is PyTorch {facts["torch"]}");
        var peaks = device.type == DeviceType.CUDA ? peer.Ask("peaks", [])?.Deserialize<Dictionary<string, double>>() : null;
        if (peaks is not null)
            notes.Add(string.Create(CultureInfo.InvariantCulture,
                $"the card's peaks as PyTorch reaches them: {peaks["bfloat16"] / 1e12:0} TFLOP/s in bf16, {peaks["float32"] / 1e12:0} in fp32, copies at {peaks["copy"] / 1e12:0.00} TB/s"));
        // The peer has the card to itself: what libtorch's allocator has once taken in this process it does not give back.
        (Shape Shape, ScalarType Dtype)[] models = [.. shapes.Select(s => (s, ScalarType.BFloat16)), (shapes[0], ScalarType.Float32)];
        DecodeCase[] Cases(ScalarType dtype) => dtype == ScalarType.BFloat16 ? cases : [cases[cases.Length / 2]];
        var theirs = models.Select(m => (Decoding: AskDecoding(peer, m.Shape, m.Dtype, Cases(m.Dtype), settings), Learning: AskLearning(peer, m.Shape, m.Dtype, settings))).ToList();
        var tables = new List<FigureTable>();
        foreach (var ((shape, dtype), answers) in models.Zip(theirs))
        {
            tables.Add(Decoding(shape, dtype, Cases(dtype), device, answers.Decoding, settings));
            tables.Add(Learning(shape, dtype, device, answers.Learning, peaks, settings));
        }
        notes.AddRange(
        [
            "tokens/s of decoding counts new tokens; the time is the whole call, prefixes included, until the host has the tokens",
            "ours includes masks and S_pred beside temperature sampling and log-probabilities; both compute a prefix once, PyTorch copies its keys and values to the group",
            "PyTorch eager: nn.Linear, nn.RMSNorm, scaled_dot_product_attention, a preallocated cache; with a CUDA graph: one captured step, replayed",
            "a step of learning: forward, backward, AdamW over float32 weights (PyTorch: its fused AdamW); ours also digests the parameters",
            "thought tokens/s: ours computes a prefix once for its 16 thoughts, PyTorch every thought with its prefix",
            "arithmetic: what the model needs, counting nothing twice; beside the bf16 or fp32 matrix product that PyTorch reaches on this card",
        ]);
        notes.AddRange(peer.Failures);
        return new SectionReport("gpu", tables, notes);
    }

    private static JsonElement? AskDecoding(TorchPeer peer, Shape shape, ScalarType dtype, DecodeCase[] cases, BenchmarkSettings settings) =>
        peer.Ask("decode", new()
        {
            ["config"] = TorchPeer.Config(shape.Config),
            ["dtype"] = Name(dtype),
            ["cases"] = cases.Select(c => new[] { c.Groups, c.GroupSize, c.Prefix, c.NewTokens }),
            ["repeats"] = settings.Repeats,
            ["graph"] = true,
        });

    private static FigureTable Decoding(Shape shape, ScalarType dtype, DecodeCase[] cases, Device device, JsonElement? theirs, BenchmarkSettings settings)
    {
        using var model = new BenchmarkModel(shape.Config, trainable: false, device, dtype);
        var figures = new List<Figure>();
        for (var i = 0; i < cases.Length; i++)
        {
            var measured = cases[i];
            using var sampler = ExactThoughts.Sampler(model, measured.NewTokens);
            var positions = model.Positions(measured.Groups, measured.Prefix - 1); // and the begin marker
            long step = 0;
            var ours = InTurns.Measure($"{shape.Name} {Name(dtype)}, {measured.Name}", settings.Repeats, () => measured.Sequences * measured.NewTokens
                / InTurns.Seconds(() => ExactThoughts.Sample(sampler, ++step, positions, measured.GroupSize, measured.NewTokens)))[0];
            figures.Add(Figure.Of(measured.Name, "tokens/s", ours, "PyTorch eager", Rates(theirs, "eager", i)));
            if (Rates(theirs, "graph", i) is { } graph) figures.Add(Figure.Of("  the same", "tokens/s", ours, "PyTorch with a CUDA graph", graph));
        }
        return new FigureTable($"Decoding, {shape.Name}: {model.Description}", figures);
    }

    private static (int Count, int Length)[] Documents(BenchmarkSettings settings) => settings.Quick ? [(2, 32)] : [(8, 256), (64, 320)];

    private static DecodeCase Thoughts(BenchmarkSettings settings) => settings.Quick ? new(2, 4, 24, 8) : new(4, 16, 256, 64);

    private static JsonElement? AskLearning(TorchPeer peer, Shape shape, ScalarType dtype, BenchmarkSettings settings)
    {
        var thoughts = Thoughts(settings);
        return peer.Ask("learn", new()
        {
            ["config"] = TorchPeer.Config(shape.Config),
            ["dtype"] = Name(dtype),
            ["documents"] = Documents(settings).Select(d => new[] { d.Count, d.Length }),
            ["thoughts"] = new[] { new[] { thoughts.Groups, thoughts.GroupSize, thoughts.Prefix, thoughts.NewTokens } },
            ["micro_batch_tokens"] = shape.MicroBatchTokens,
            ["repeats"] = settings.Repeats,
        });
    }

    private static FigureTable Learning(
        Shape shape, ScalarType dtype, Device device, JsonElement? theirs, Dictionary<string, double>? peaks, BenchmarkSettings settings)
    {
        var documents = Documents(settings);
        using var model = new BenchmarkModel(shape.Config, trainable: true, device, dtype);
        double? peak = peaks is not null && peaks.TryGetValue(Name(dtype), out var value) ? value : null;
        var figures = new List<Figure>();
        long step = 0;
        for (var i = 0; i < documents.Length; i++)
        {
            var (count, length) = documents[i];
            using var learner = new Learner(model.Decoder, model.Tokenizer, ExactThoughts.NtpStage(count, shape.MicroBatchTokens));
            var batch = model.Documents(count, length);
            double flops = 0;
            var seconds = InTurns.Measure($"{shape.Name} {Name(dtype)}, learner {count} x {length}", settings.Repeats,
                () => InTurns.Seconds(() => flops = learner.ApplyNtp(++step, batch).Flops))[0];
            figures.Add(Figure.Of($"batch {count} x {length}", "tokens/s", [.. seconds.Select(s => count * length / s)], "PyTorch", Rates(theirs, "documents", i)));
            figures.Add(Utilisation(seconds, flops, peak));
        }
        figures.Add(Rlp(model, shape, dtype, Rates(theirs, "thoughts", 0), settings));
        return new FigureTable($"Learning, {shape.Name}: {model.Description}", figures);
    }

    private static Figure Rlp(BenchmarkModel model, Shape shape, ScalarType dtype, double[]? theirs, BenchmarkSettings settings)
    {
        var (groups, groupSize, prefix, thought) = Thoughts(settings);
        using var sampler = ExactThoughts.Sampler(model, thought);
        var sampled = ExactThoughts.Sample(sampler, 1, model.Positions(groups, prefix - 1), groupSize, thought);
        ScoredGroup[] scored = [.. sampled.Select(g => new ScoredGroup(g, -8.0))];
        using var learner = new Learner(model.Decoder, model.Tokenizer, ExactThoughts.RlpStage(groups, groupSize, thought, shape.MicroBatchTokens));
        long step = 0;
        var rates = InTurns.Measure($"{shape.Name} {Name(dtype)}, learner RLP", settings.Repeats,
            () => groups * groupSize * thought / InTurns.Seconds(() => learner.ApplyRlp(++step, scored)))[0];
        return Figure.Of($"{groups} groups of {groupSize}, prefix {prefix}, thoughts of {thought}", "thought tokens/s", rates, "PyTorch", theirs);
    }

    private static Figure Utilisation(double[] seconds, double flops, double? peak)
    {
        double[] rates = [.. seconds.Select(s => flops / s / 1e12)];
        return peak is { } reached
            ? Figure.Of("  its arithmetic", "TFLOP/s", rates, "matrix product", [.. rates.Select(_ => reached / 1e12)])
            : Figure.Of("  its arithmetic", "TFLOP/s", rates);
    }

    private static double[]? Rates(JsonElement? answer, string key, int index) =>
        answer is { } root && root.TryGetProperty(key, out var all) && index < all.GetArrayLength() ? all[index].Deserialize<double[]>() : null;

    private static string Name(ScalarType dtype) => dtype == ScalarType.BFloat16 ? "bfloat16" : "float32";

    /// <summary>Both must compute the same model, or comparing their speed means nothing.</summary>
    /// <returns>Null where the peer gave no answer.</returns>
    /// <exception cref="InvalidOperationException">The logits behind a prefix differ.</exception>
    private static string? Agreement(TorchPeer peer, Device device)
    {
        using var model = new BenchmarkModel(BenchmarkModel.Small, trainable: false, device);
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        try
        {
            var weights = Path.Combine(folder.FullName, "model.safetensors");
            SafeTensors.Save(weights, model.Parameters);
            var tokens = model.Positions(1, 64)[0].Prefix;
            var answer = peer.Ask("logits", new() { ["config"] = TorchPeer.Config(model.Config), ["weights"] = weights, ["tokens"] = tokens });
            if (answer?.GetProperty("logits").Deserialize<float[]>() is not { } theirs) return null;
            using var noGradient = inference_mode();
            using var scope = NewDisposeScope();
            var hidden = model.Decoder.Hidden(tensor(tokens.Select(t => (long)t).ToArray(), device: device).unsqueeze(0)); // [1, T, H]
            float[] ours = [.. model.Decoder.Logits(hidden.select(1, tokens.Length - 1)).flatten().cpu().data<float>()];
            var difference = ours.Zip(theirs, (a, b) => Math.Abs((double)a - b)).Max();
            return difference <= LargestDifference
                ? string.Create(CultureInfo.InvariantCulture, $"PyTorch computes the same model: logits behind {tokens.Length} tokens differ by at most {difference:0.0e+0} of {ours.Max() - ours.Min():0.0}")
                : throw new InvalidOperationException($"THE COMPARISON IS VOID: logits of PyTorch and ours differ by {difference:0.0e+0}, at most {LargestDifference} was expected");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
