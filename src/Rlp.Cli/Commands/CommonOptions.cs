using System.CommandLine;

namespace Rlp.Cli.Commands;

internal static class CommonOptions
{
    public static Option<string?> Runs() => new("--runs") { Description = "Folder of the runs and their journal. Default: key 'runs' of the configuration, ./runs." };

    public static Option<bool> Json(string description) => new("--json") { Description = description };
}
