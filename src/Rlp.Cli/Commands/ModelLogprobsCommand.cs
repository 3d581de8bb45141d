using System.CommandLine;
using Rlp.Models;
using Rlp.Training.Metrics;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>rlp model logprobs: what a model says of a sequence, to be compared with another program.</summary>
internal static class ModelLogprobsCommand
{
    private const string Full = "full", Cached = "cached";

    public static Command Create()
    {
        var model = ModelCommand.Model();
        var ids = new Option<string>("--ids") { Description = "File of token ids, separated by white space.", Required = true };
        var target = ModelCommand.Out("File to write.");
        var mode = new Option<string>("--mode")
        {
            Description = "full: one pass over the sequence. cached: token by token through the state, as sampling does it.",
            DefaultValueFactory = _ => Full,
        };
        mode.AcceptOnlyFromAmong(Full, Cached);
        var dtype = ModelCommand.Dtype("Type to compute in. Default: f32.");
        var command = new Command("logprobs", "Log-probabilities of the next token after each token of a sequence.\n\n"
            + "Writes little-endian float32 [T, V]: row t is the log-softmax over the V entries of the model's vocabulary after ids 0 to t.\n\n"
            + "Examples:\n"
            + "  rlp model logprobs --model models/Qwen3-1.7B --ids ids.txt --out logprobs.f32\n"
            + "  rlp model logprobs --model models/Qwen3-1.7B --ids ids.txt --out cached.f32 --mode cached --dtype bf16") { model, ids, target, mode, dtype };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            using var folder = ModelFolder.Open(arguments.GetValue(model)!);
            var tokens = TokenIdFile.Read(arguments.GetValue(ids)!, folder.Config.VocabularySize);
            NativeLibrary.Load();
            using var parameters = folder.Files.Load(folder.Layout, trainable: false, dtype: arguments.GetValue(dtype) ?? torch.ScalarType.Float32);
            using var decoder = Decoder.Create(folder.Config, parameters);
            var file = arguments.GetValue(target)!;
            using var progress = new ProgressLine();
            AtomicFile.Write(file, stream =>
            {
                if (arguments.GetValue(mode) == Cached) NextTokenLogProbabilities.Cached(decoder, tokens, stream, Report);
                else NextTokenLogProbabilities.Full(decoder, tokens, stream, Report);
            });
            progress.Clear();
            Console.WriteLine($"{file}: float32 [{tokens.Length}, {folder.Config.VocabularySize}]");
            return Task.FromResult(ExitCodes.Done);

            void Report(int done) => progress.Show(() => $"{done} of {tokens.Length} positions");
        }));
        return command;
    }
}
