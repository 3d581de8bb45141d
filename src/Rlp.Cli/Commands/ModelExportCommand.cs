using System.CommandLine;
using Rlp.Models;
using Rlp.Models.Weights;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>rlp model export: a model, or a checkpoint's policy, as a Hugging Face folder.</summary>
internal static class ModelExportCommand
{
    public static Command Create()
    {
        var model = ModelCommand.Model();
        var target = ModelCommand.Out("Folder to write; must not exist, or be empty.");
        var dtype = ModelCommand.Dtype("Type of the written weights. Default: as they are stored, f32 where that is neither.");
        var shard = new Option<long>("--max-shard-size")
        {
            Description = "Above it the weights are split: 5GB, 500MB, 2GiB. Default: 5GB.",
            HelpName = "SIZE",
            DefaultValueFactory = _ => new ExportSettings().MaxShardBytes,
            CustomParser = result =>
            {
                try
                {
                    return ByteSize.Parse(result.Tokens[0].Value);
                }
                catch (ModelFormatException e)
                {
                    result.AddError($"--max-shard-size: {e.Message}");
                    return 0;
                }
            },
        };
        var command = new Command("export", "Writes a model, or the policy of a checkpoint, as a Hugging Face folder.\n\n"
            + "The folder appears whole or not at all. A checkpoint holds no tokenizer: its folder gets the configuration and the weights.\n\n"
            + "Examples:\n"
            + "  rlp model export --model models/Qwen3-1.7B --out small --dtype bf16 --max-shard-size 1GB\n"
            + "  rlp model export --model runs/mine/checkpoints/rlp/step-00000200 --out exported") { model, target, dtype, shard };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            using var source = ModelFolder.Open(arguments.GetValue(model)!);
            var settings = new ExportSettings { Dtype = arguments.GetValue(dtype) ?? Stored(source), MaxShardBytes = arguments.GetValue(shard) };
            var folder = arguments.GetValue(target)!;
            NativeLibrary.Load();
            source.Files.Export(folder, source.Layout, settings);
            if (source.IsCheckpoint)
                Console.Error.WriteLine("rlp: a checkpoint holds no tokenizer; copy its files into the folder before you use it elsewhere");
            Console.WriteLine($"{folder}: {source.Config.Architecture}, {source.Layout.ParameterCount:N0} parameters in {TensorType.Name(settings.Dtype)}");
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }

    private static torch.ScalarType Stored(ModelFolder source) =>
        source.Files.Weights.Tensors.Values.All(t => t.Entry.Dtype == TensorType.Name(torch.ScalarType.BFloat16))
            ? torch.ScalarType.BFloat16
            : torch.ScalarType.Float32;
}
