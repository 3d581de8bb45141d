namespace Petabridge.Cmd;

/// <summary>What a palette can be asked.</summary>
public sealed class CommandDefinition(string name, string description, IEnumerable<ArgumentDefinition> arguments)
{
    public string Name { get; } = name;

    public string Description { get; } = description;

    public IReadOnlyDictionary<string, ArgumentDefinition> ArgumentsByName { get; } = arguments.ToDictionary(a => a.Name);
}

public sealed class CommandPalette(string name, IEnumerable<CommandDefinition> commands)
{
    public string Name { get; } = name;

    public IReadOnlyList<CommandDefinition> Commands { get; } = [.. commands];
}

public sealed class CommandDefinitionBuilder
{
    private readonly List<ArgumentDefinition> arguments = [];
    private string name = "";
    private string description = "";

    public CommandDefinitionBuilder WithName(string name)
    {
        this.name = name;
        return this;
    }

    public CommandDefinitionBuilder WithDescription(string description)
    {
        this.description = description;
        return this;
    }

    public CommandDefinitionBuilder WithArgument(Func<ArgumentDefinition, ArgumentDefinition> build)
    {
        arguments.Add(build(new ArgumentDefinition()));
        return this;
    }

    public CommandDefinition Build() => new(name, description, arguments);
}

/// <summary>An argument, and what builds it.</summary>
public sealed class ArgumentDefinition
{
    private readonly List<string> switches = [];
    private readonly List<string> defaults = [];

    public string Name { get; private set; } = "";

    public string Description { get; private set; } = "";

    public bool Mandatory { get; private set; }

    public bool Multiple { get; private set; }

    public string? Default { get; private set; }

    public IReadOnlyList<string> Switch => switches;

    /// <summary>What is offered to who types.</summary>
    public IReadOnlyList<string> Defaults => defaults;

    public ArgumentDefinition WithName(string name)
    {
        Name = name;
        return this;
    }

    public ArgumentDefinition WithDescription(string description)
    {
        Description = description;
        return this;
    }

    public ArgumentDefinition WithSwitch(string name)
    {
        switches.Add(name);
        return this;
    }

    public ArgumentDefinition IsMandatory(bool mandatory)
    {
        Mandatory = mandatory;
        return this;
    }

    public ArgumentDefinition AllowMultiple(bool multiple)
    {
        Multiple = multiple;
        return this;
    }

    public ArgumentDefinition WithDefaultValue(string value)
    {
        Default = value;
        return this;
    }

    public ArgumentDefinition WithDefaultValues(params string[] values)
    {
        defaults.AddRange(values);
        return this;
    }
}
