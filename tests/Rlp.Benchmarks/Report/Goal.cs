using System.Globalization;

namespace Rlp.Benchmarks.Report;

/// <summary>A bound that a figure should keep, and whether it does.</summary>
internal sealed record Goal(string Text, bool Reached)
{
    public static Goal AtLeast(double value, double bound) => new($">= {bound.ToString("#,0.##", CultureInfo.InvariantCulture)}", value >= bound);

    public static Goal AtMost(double value, double bound) => new($"<= {bound.ToString("#,0.##", CultureInfo.InvariantCulture)}", value <= bound);
}
