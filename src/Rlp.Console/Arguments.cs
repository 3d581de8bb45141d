using System.Globalization;

namespace Rlp.Consoles;

/// <summary>The values of a command's arguments, defaults filled in; each has passed its argument's check.</summary>
public sealed class Arguments(IReadOnlyDictionary<string, IReadOnlyList<string>> values)
{
    /// <summary>The value; null where none was given and there is no default.</summary>
    public string? this[string name] => All(name) is [.., var last] ? last : null;

    public IReadOnlyList<string> All(string name) => values.GetValueOrDefault(name) ?? [];

    /// <summary>Of an argument that is mandatory or has a default.</summary>
    public string Text(string name) => this[name] ?? throw new InvalidOperationException($"argument '{name}' has neither value nor default");

    public long? Number(string name) => this[name] is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : null;

    public double? Real(string name) => this[name] is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : null;
}
