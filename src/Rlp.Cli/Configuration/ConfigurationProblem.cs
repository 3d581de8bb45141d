namespace Rlp.Cli.Configuration;

/// <summary>
/// One thing that is wrong with a configuration. <see cref="File"/> is the path as the user gave it, or "--set"; <see cref="Line"/> counts
/// from 1 and is null where no line is at fault; <see cref="Key"/> is the dotted path, empty where the text could not be read.
/// </summary>
public sealed record ConfigurationProblem(string File, int? Line, string Key, string Message)
{
    public override string ToString() => Line is { } line ? $"{File}:{line}: {Message}" : $"{File}: {Message}";
}
