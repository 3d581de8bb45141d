using System.Globalization;

namespace Rlp.Consoles;

/// <summary>
/// One argument of a verb: <c>-r VALUE</c> or <c>--run VALUE</c>. Name, description, switch, default and the two flags are exactly those of a
/// Petabridge.Cmd argument.
/// </summary>
/// <param name="Name">Long name, without dashes; a function finds its value by it.</param>
/// <param name="Switch">Short form with its dash: "-r".</param>
public sealed record Argument(string Name, string Switch, string Description)
{
    public bool Mandatory { get; init; }

    /// <summary>The value where none is given; null: none.</summary>
    public string? Default { get; init; }

    public bool AllowMultiple { get; init; }

    /// <summary>What was expected instead of a value; null where the value is fit.</summary>
    public Func<string, string?> Expected { get; init; } = _ => null;

    /// <summary>The only values there are; empty where that is not known.</summary>
    public IReadOnlyList<string> Values { get; private init; } = [];

    /// <summary>As help and messages show it: <c>-r RUN</c>.</summary>
    public string Usage => $"{Switch} {Name.ToUpperInvariant()}";

    /// <summary>The same argument, which takes whole numbers.</summary>
    public Argument Whole(long least) => this with
    {
        Expected = value => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least
            ? null
            : $"a whole number of at least {least}",
    };

    /// <summary>The same argument, which takes numbers.</summary>
    public Argument Real() => this with
    {
        Expected = value => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? null
            : "a number such as -0.5",
    };

    /// <summary>The same argument, which takes one of these words.</summary>
    public Argument OneOf(params IReadOnlyList<string> words) => this with
    {
        Values = words,
        Expected = value => words.Contains(value) ? null : $"one of {string.Join(", ", words)}{NearestName.Question(value, words)}",
    };
}
