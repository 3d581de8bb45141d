using System.CommandLine;
using System.CommandLine.Parsing;
using Rlp.Cli.Commands;
using Rlp.Training;

namespace Rlp.Cli;

public static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        OpenMpWaiting.Prepare();
        var root = new RootCommand("RLP.Akka trains language models to think before they predict (RLP, arXiv 2510.01265).\n\n"
            + "Examples:\n"
            + "  rlp train hocon/recipes/arithmetic.hocon\n"
            + "  rlp train hocon/recipes/arithmetic.hocon --run-id big --set rlp.group-size=16\n"
            + "  rlp runs show arithmetic-1\n"
            + "  rlp node --config hocon/cluster/one.hocon\n"
            + "  rlp submit hocon/recipes/arithmetic.hocon --to 127.0.0.1:7001\n"
            + "  rlp console 127.0.0.1:7001 run list\n"
            + "  rlp model inspect models/Qwen3-1.7B\n"
            + "  rlp plan hocon/recipes/qwen3-1.7b.hocon --device H100 --nodes 4\n"
            + "  rlp bench sampler --model models/Qwen3-1.7B\n"
            + "  rlp doctor\n\n"
            + ExitCodes.Explanation);
        root.Subcommands.Add(TrainCommand.Create());
        root.Subcommands.Add(NodeCommand.Create());
        root.Subcommands.Add(SubmitCommand.Create());
        root.Subcommands.Add(RunsCommand.Create());
        root.Subcommands.Add(ConsoleCommand.Create());
        root.Subcommands.Add(ModelCommand.Create());
        root.Subcommands.Add(PlanCommand.Create());
        root.Subcommands.Add(BenchCommand.Create());
        root.Subcommands.Add(DoctorCommand.Create());
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync($"rlp: {error.Message}");
            await Console.Error.WriteLineAsync($"Try '{string.Join(' ', NamesOf(parsed.CommandResult))} --help'.");
            return ExitCodes.BadConfiguration;
        }
        // Signals are this program's own business: a run stops at a checkpoint, however long that takes.
        return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false });
    }

    /// <summary>rlp, model, inspect.</summary>
    private static IEnumerable<string> NamesOf(CommandResult command) =>
        command.Parent is CommandResult parent ? [.. NamesOf(parent), command.Command.Name] : ["rlp"];
}
