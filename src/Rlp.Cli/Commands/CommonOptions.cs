using System.CommandLine;

namespace Rlp.Cli.Commands;

internal static class CommonOptions
{
    public static Option<string?> Runs() => new("--runs") { Description = "Folder of the runs and their journal. Default: key 'runs' of the configuration, ./runs." };

    public static Option<bool> Json(string description) => new("--json") { Description = description };

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
