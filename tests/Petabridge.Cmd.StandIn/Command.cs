namespace Petabridge.Cmd;

/// <summary>A command as it reaches the actor of its palette.</summary>
/// <param name="arguments">Switch and value, in the order in which they were given; an argument without a value is not among them.</param>
public sealed class Command(string palette, string name, IEnumerable<Tuple<string, string>> arguments)
{
    public string Palette { get; } = palette;

    public string Name { get; } = name;

    public IReadOnlyList<Tuple<string, string>> Arguments { get; } = [.. arguments];
}
