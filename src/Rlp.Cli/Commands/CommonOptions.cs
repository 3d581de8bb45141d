using System.CommandLine;

namespace Rlp.Cli.Commands;

internal static class CommonOptions
{
    public static Option<string?> Runs() => new("--runs") { Description = "Folder of the runs and their journal. Default: key 'runs' of the configuration, ./runs." };

    public static Option<bool> Json(string description) => new("--json") { Description = description };

    public static Option<string?> To(bool required = false) => new("--to")
    {
        Description = "HOST:PORT of the HTTP endpoint of any node of a cluster" + (required ? "." : "; without it the folder of the runs is read."),
        Required = required,
    };

    public static Option<string?> TokenFile() => new("--token-file") { Description = "A file with the nodes' token (their key node.token-file), where they ask for one." };

    /// <summary>A whole number of at least 1.</summary>
    public static Option<int> Positive(string name, string description, int standard)
    {
        var option = new Option<int>(name) { Description = description, DefaultValueFactory = _ => standard };
        option.Validators.Add(result =>
        {
            if (int.TryParse(result.Tokens.SingleOrDefault()?.Value, out var value) && value < 1)
                result.AddError($"{name} is {value}; expected at least 1");
        });
        return option;
    }
}
