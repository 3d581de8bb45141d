using System.CommandLine;
using System.Globalization;
using Rlp.Models;
using Rlp.Training.Measurement;

namespace Rlp.Cli.Commands;

/// <summary>rlp bench sampler: new tokens per second.</summary>
internal static class BenchSamplerCommand
{
    public static Command Create()
    {
        var model = BenchCommand.Model();
        var prefix = CommonOptions.Positive("--prefix", "Tokens of each prefix, random.", 128);
        var newTokens = CommonOptions.Positive("--new", "Tokens of each thought; none ends earlier.", 128);
        var groups = CommonOptions.Positive("--groups", "Positions sampled together.", 4);
        var groupSize = CommonOptions.Positive("--group-size", "Thoughts of each position, which share its prefix.", 16);
        var (threads, repeats, save) = (BenchCommand.Threads(), BenchCommand.Repeats(), BenchCommand.Save());
        var json = CommonOptions.Json("One JSON object: tokens_per_s, decode_tokens_per_s, seconds, and what was measured.");
        save.Validators.Add(result =>
        {
            if (result.GetValue(newTokens) == 1)
                result.AddError("--save keeps the rate of decoding, which one token per thought does not have; expected --new of at least 2");
        });
        var command = new Command("sampler", "New tokens per second of a model's thought sampler, reading the prefixes included. In float32.\n\n"
            + "Examples:\n"
            + "  rlp bench sampler --model models/fresh --prefix 512 --new 128 --groups 4 --group-size 16 --threads 2 --json\n"
            + "  rlp bench sampler --model models/fresh --groups 1 --group-size 1 --save")
        { model, prefix, newTokens, groups, groupSize, threads, repeats, json, save };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var workload = new SamplerWorkload(
                arguments.GetValue(prefix), arguments.GetValue(newTokens), arguments.GetValue(groups), arguments.GetValue(groupSize));
            var (path, threadCount) = (arguments.GetValue(model)!, arguments.GetValue(threads));
            BenchCommand.OnModel(path, trainable: false, threadCount, policy =>
            {
                var measured = SamplerMeasurement.Run(policy, workload, arguments.GetValue(repeats));
                if (BenchCommand.SaveFile(arguments, save) is { } file)
                    Save(policy, measured, threadCount, file);
                BenchCommand.Print(arguments.GetValue(json),
                    new
                    {
                        measured.TokensPerS,
                        measured.DecodeTokensPerS,
                        measured.Seconds,
                        workload.Prefix,
                        New = workload.NewTokens,
                        workload.Groups,
                        workload.GroupSize,
                        workload.Sequences,
                        Threads = threadCount,
                        Repeats = arguments.GetValue(repeats),
                        Parameters = policy.Parameters.Layout.ParameterCount,
                    },
                    [
                        ("model", string.Create(CultureInfo.InvariantCulture, $"{path}, {policy.Parameters.Layout.ParameterCount:N0} parameters")),
                        ("work", $"{workload.Groups} prefixes of {workload.Prefix} tokens, {workload.GroupSize} thoughts of {workload.NewTokens} each, "
                            + $"{threadCount} threads"),
                        ("tokens/s", string.Create(CultureInfo.InvariantCulture,
                            $"{measured.TokensPerS:F0}  ({measured.Seconds:F2} s, prefixes included)")),
                        ("decoding", measured.DecodeTokensPerS is { } rate
                            ? string.Create(CultureInfo.InvariantCulture, $"{rate:F0}  (prefixes not counted)")
                            : "-"),
                    ]);
            });
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    private static void Save(IDecoder policy, SamplerMeasurement measured, int threads, string file)
    {
        var peaks = MachinePeaks.Measure();
        (MachineRates.Of(peaks, threads) with { DecodingUtilisation = measured.DecodingUtilisation(policy, peaks) }).Save(file);
    }
}
