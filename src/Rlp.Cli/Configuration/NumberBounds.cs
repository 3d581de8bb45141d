namespace Rlp.Cli.Configuration;

/// <summary>Which numbers a key takes, and how to say so.</summary>
public sealed record NumberBounds(string Description, double StandIn, Func<double, bool> Holds)
{
    public static NumberBounds Positive { get; } = new("a number above 0", 1, x => x > 0 && double.IsFinite(x));

    public static NumberBounds NotNegative { get; } = new("a number of at least 0", 0, x => x >= 0 && double.IsFinite(x));

    /// <summary>[0, 1].</summary>
    public static NumberBounds Share { get; } = new("a number from 0 to 1", 0, x => x is >= 0 and <= 1);

    /// <summary>(0, 1].</summary>
    public static NumberBounds ShareAboveZero { get; } = new("a number above 0 and at most 1", 1, x => x is > 0 and <= 1);

    /// <summary>[0, 1).</summary>
    public static NumberBounds ShareBelowOne { get; } = new("a number of at least 0 and below 1", 0, x => x is >= 0 and < 1);
}
