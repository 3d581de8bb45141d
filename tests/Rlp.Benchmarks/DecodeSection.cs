using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;
using Rlp.Training.Engines;
using static TorchSharp.torch;

namespace Rlp.Benchmarks;

/// <summary>Tokens per second of sampling thoughts, beside llama.cpp on the same weights.</summary>
internal static class DecodeSection
{
    /// <param name="Goal">Tokens per second; 0: none.</param>
    private sealed record Case(int Groups, int GroupSize, int Prefix, int NewTokens, double Goal)
    {
        public int Sequences => Groups * GroupSize;

        public string Name => $"{Sequences} sequence{(Sequences == 1 ? "" : "s")} ({Groups} x {GroupSize}), prefix {Prefix} + {NewTokens}";
    }

    public static SectionReport Measure(BenchmarkSettings settings)
    {
        Case[] cases = settings.Quick
            ? [new(1, 1, 16, 8, 0), new(2, 4, 16, 8, 0)]
            :
            [
                new(1, 1, 128, 128, 900), new(1, 16, 128, 128, 0), new(4, 16, 128, 128, 5_500), new(16, 16, 128, 128, 10_000),
                new(4, 16, 512, 128, 0),
            ];
        using var model = new BenchmarkModel(settings.Quick ? BenchmarkModel.Small : BenchmarkModel.TenMillion, trainable: false);
        var notes = new List<string>
        {
            "tokens/s counts new tokens; the time is the whole call, prefixes included",
            "both sides compute a prefix once for its group; llama.cpp then copies its keys and values to the sequences, each of which has its own",
            "ours includes temperature sampling, log-probabilities, masks and S_pred; llama.cpp includes the choice of the likeliest token alone",
        };
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        try
        {
            var gguf = Path.Combine(folder.FullName, "model.gguf");
            GgufFile.Write(gguf, model.Config, model.Parameters);
            var peer = LlamaCpp.IsFetched;
            notes.Add(peer ? Agreement(model, gguf, settings.Threads) : $"llama.cpp is not fetched: run {LlamaCpp.Fetch}");
            var table = new FigureTable($"Decoding, {model.Description}",
                [.. cases.Select(c => Measure(model, c, peer ? gguf : null, settings))]);
            return new SectionReport("decode", [table], notes);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Figure Measure(BenchmarkModel model, Case measured, string? gguf, BenchmarkSettings settings)
    {
        using var sampler = ExactThoughts.Sampler(model, measured.NewTokens);
        var positions = model.Positions(measured.Groups, measured.Prefix - 1); // and the begin marker
        long step = 0;
        double Ours() => Rate(() => ExactThoughts.Sample(sampler, ++step, positions, measured.GroupSize, measured.NewTokens));
        Figure figure;
        if (gguf is null)
        {
            var rates = InTurns.Measure(measured.Name, settings.Repeats, Ours);
            figure = Figure.Of(measured.Name, "tokens/s", rates[0], "not fetched, see below");
        }
        else
        {
            var batch = Math.Max(measured.Groups * measured.Prefix, measured.Sequences);
            var length = measured.Prefix + measured.NewTokens;
            using var llama = new LlamaCpp(gguf, model.Config.VocabularySize, measured.Sequences, length, batch, settings.Threads);
            int[][] prefixes = [.. positions.Select(p => Tokens(model, p))];
            var rates = InTurns.Measure(measured.Name, settings.Repeats,
                Ours, () => Rate(() => llama.Continue(prefixes, measured.GroupSize, measured.NewTokens)));
            figure = Figure.Of(measured.Name, "tokens/s", rates[0], $"llama.cpp {LlamaCpp.Version}", rates[1]);
        }
        return measured.Goal == 0 ? figure : figure.With(Goal.AtLeast, measured.Goal);

        double Rate(Action call) => measured.Sequences * measured.NewTokens / InTurns.Seconds(call);
    }

    /// <summary>Both must compute the same model, or comparing their speed means nothing.</summary>
    /// <exception cref="InvalidOperationException">The logits behind a prefix differ by more than 1e-3.</exception>
    private static string Agreement(BenchmarkModel model, string gguf, int threads)
    {
        var tokens = Tokens(model, model.Positions(1, 63)[0]);
        using var llama = new LlamaCpp(gguf, model.Config.VocabularySize, 1, tokens.Length, tokens.Length, threads);
        var theirs = llama.LastLogits(tokens);
        using var noGradient = inference_mode();
        using var scope = NewDisposeScope();
        var hidden = model.Decoder.Hidden(tensor(tokens.Select(t => (long)t).ToArray()).unsqueeze(0)); // [1, T, H]
        float[] ours = [.. model.Decoder.Logits(hidden.select(1, tokens.Length - 1)).flatten().data<float>()];
        var difference = ours.Zip(theirs, (a, b) => Math.Abs((double)a - b)).Max();
        var spread = ours.Max() - ours.Min();
        return difference <= 1e-3
            ? $"llama.cpp computes the same model: logits behind {tokens.Length} tokens differ by at most {difference:0.0e+0} of {spread:0.0}"
            : throw new InvalidOperationException(
                $"THE COMPARISON IS VOID: logits of llama.cpp and ours differ by {difference:0.0e+0} of {spread:0.0}, at most 1e-3 was expected");
    }

    private static int[] Tokens(BenchmarkModel model, GroupPosition position) => [.. position.Prefix, model.Tokenizer.BeginThought];
}
