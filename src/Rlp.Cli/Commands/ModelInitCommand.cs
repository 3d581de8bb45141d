using System.CommandLine;
using Rlp.Models;
using Rlp.Models.Weights;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>rlp model init: a folder of random weights for a config.json.</summary>
internal static class ModelInitCommand
{
    public static Command Create()
    {
        var config = new Option<string>("--config") { Description = "The config.json to begin from; it is copied word for word, but for the type.", Required = true };
        var seed = new Option<long>("--seed") { Description = "The weights are a function of it and of the configuration alone.", Required = true };
        var target = ModelCommand.Out("Folder to write; must not exist, or be empty.");
        var dtype = ModelCommand.Dtype("Type of the written weights. Default: f32.");
        var command = new Command("init", "Writes a model of random weights, tensor by tensor: it never is in memory as a whole.\n\n"
            + "Example:\n"
            + "  rlp model init --config config.json --seed 1 --out models/fresh --dtype bf16") { config, seed, target, dtype };
        command.SetAction((arguments, _) => FailureReport.Guard(() =>
        {
            var network = DecoderConfig.Read(arguments.GetValue(config)!);
            var layout = Decoder.Layout(network);
            var folder = arguments.GetValue(target)!;
            var settings = new ExportSettings { Dtype = arguments.GetValue(dtype) ?? torch.ScalarType.Float32 };
            NativeLibrary.Load();
            HuggingFaceFolder.Initialize(folder, network.Document!, layout, arguments.GetValue(seed), network.Initialization, settings);
            Console.WriteLine($"{folder}: {network.Architecture}, {layout.ParameterCount:N0} parameters in {TensorType.Name(settings.Dtype)}");
            return Task.FromResult(ExitCodes.Done);
        }));
        return command;
    }
}
