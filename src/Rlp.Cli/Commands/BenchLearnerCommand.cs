using System.CommandLine;
using System.Globalization;
using Rlp.Training.Measurement;

namespace Rlp.Cli.Commands;

/// <summary>rlp bench learner: trained tokens per second, and which share of the machine's matrix products that is.</summary>
internal static class BenchLearnerCommand
{
    public static Command Create()
    {
        var model = BenchCommand.Model();
        var batch = CommonOptions.Positive("--batch", "Documents of a step, of random tokens.", 8);
        var length = CommonOptions.Positive("--length", "Tokens of each document, at least 2.", 256);
        length.Validators.Add(result =>
        {
            if (int.TryParse(result.Tokens.SingleOrDefault()?.Value, out var value) && value == 1)
                result.AddError("--length is 1; expected at least 2");
        });
        var (threads, repeats, save) = (BenchCommand.Threads(), BenchCommand.Repeats(), BenchCommand.Save());
        var json = CommonOptions.Json("One JSON object: tokens_per_s, model_flops_utilisation, gemm_gflops, and what was measured.");
        var command = new Command(
            "learner",
            "Tokens per second of steps of next-token prediction (forward, backward, AdamW) on a model. In float32.\n\n"
            + "The utilisation is the step's FLOP/s over the best that a few float32 matrix products reach with the same threads.\n\n"
            + "Examples:\n"
            + "  rlp bench learner --model models/fresh --batch 8 --length 256 --threads 2 --json\n"
            + "  rlp bench learner --model models/fresh --save")
        { model, batch, length, threads, repeats, json, save };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var (path, threadCount) = (arguments.GetValue(model)!, arguments.GetValue(threads));
            BenchCommand.OnModel(path, trainable: true, threadCount, policy =>
            {
                var measured = LearnerMeasurement.Run(policy, arguments.GetValue(batch), arguments.GetValue(length), arguments.GetValue(repeats));
                var peaks = MachinePeaks.Measure();
                var utilisation = measured.FlopsPerS / peaks.GemmFlops;
                if (BenchCommand.SaveFile(arguments, save) is { } file)
                    (MachineRates.Of(peaks, threadCount) with { TrainingUtilisation = utilisation }).Save(file);
                BenchCommand.Print(arguments.GetValue(json),
                    new
                    {
                        measured.TokensPerS,
                        ModelFlopsUtilisation = utilisation,
                        GemmGflops = peaks.GemmFlops / 1e9,
                        measured.Seconds,
                        measured.Flops,
                        measured.Batch,
                        measured.Length,
                        Threads = threadCount,
                        Repeats = arguments.GetValue(repeats),
                        Parameters = policy.Parameters.Layout.ParameterCount,
                    },
                    [
                        ("model", string.Create(CultureInfo.InvariantCulture, $"{path}, {policy.Parameters.Layout.ParameterCount:N0} parameters")),
                        ("work", $"{measured.Batch} documents of {measured.Length} tokens a step, {threadCount} threads"),
                        ("tokens/s", string.Create(CultureInfo.InvariantCulture, $"{measured.TokensPerS:F0}  ({measured.Seconds:F3} s a step)")),
                        ("utilisation", string.Create(CultureInfo.InvariantCulture,
                            $"{utilisation:P0}  ({measured.FlopsPerS / 1e9:F1} of {peaks.GemmFlops / 1e9:F1} GFLOP/s in float32 matrix products)")),
                    ]);
            });
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }
}
