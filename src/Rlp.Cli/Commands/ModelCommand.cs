using System.CommandLine;
using Rlp.Models;
using Rlp.Models.Weights;
using TorchSharp;

namespace Rlp.Cli.Commands;

/// <summary>rlp model: everything that is done with a model's folder outside a run.</summary>
internal static class ModelCommand
{
    public static Command Create() => new("model", "Looks at, checks, fetches and writes models in Hugging Face's layout.\n\n"
        + "Examples:\n"
        + "  rlp model pull Qwen/Qwen3-1.7B --out models/Qwen3-1.7B\n"
        + "  rlp model inspect models/Qwen3-1.7B\n"
        + "  rlp model export --model runs/mine/checkpoints/rlp/step-00000200 --out exported --dtype bf16")
    {
        ModelInspectCommand.Create(), ModelLogprobsCommand.Create(), ModelTokenizeCommand.Create(),
        ModelExportCommand.Create(), ModelPullCommand.Create(), ModelInitCommand.Create(),
    };

    public static Option<string> Model() => new("--model") { Description = "Folder of the model, or of a checkpoint.", Required = true };

    public static Option<string> Out(string description) => new("--out") { Description = description, Required = true };

    /// <summary>Null where the user does not say.</summary>
    public static Option<torch.ScalarType?> Dtype(string description)
    {
        var option = new Option<torch.ScalarType?>("--dtype") { Description = description, HelpName = "f32|bf16" };
        option.CustomParser = result =>
        {
            try
            {
                return TensorType.Parse(result.Tokens[0].Value);
            }
            catch (ModelFormatException e)
            {
                result.AddError($"--dtype: {e.Message}");
                return null;
            }
        };
        return option;
    }
}
