namespace Petabridge.Cmd;

/// <summary>A command as it reaches the actor of its palette.</summary>
/// <param name="arguments">Switch and value, in the order in which they were given; an argument without a value is not among them.</param>
public sealed class Command(string palette, string name, IEnumerable<Tuple<string, string>> arguments)
{
    public string Palette { get; } = palette;

    public string Name { get; } = name;

    public IReadOnlyList<Tuple<string, string>> Arguments { get; } = [.. arguments];
}

/// <summary>The values of a command's arguments, by the names that its definition gives them.</summary>
public sealed class CommandArguments(CommandDefinition definition, Command command)
{
    public IEnumerable<string> ArgumentValues(string name)
    {
        var argument = definition.ArgumentsByName[name];
        return command.Arguments.Where(a => argument.Switch.Contains(a.Item1)).Select(a => a.Item2);
    }
}
