using System.Globalization;

namespace Rlp.Training.Metrics;

/// <summary>Numbers as people read them, the same in every culture.</summary>
public static class HumanNumber
{
    private static readonly string[] Suffixes = ["", "k", "M", "G", "T", "P", "E"];

    /// <summary>Three significant digits and a decimal suffix: 950, 12.3k, 1.20M; "nan" and "inf" where the value is not finite.</summary>
    public static string Compact(double value)
    {
        if (!double.IsFinite(value)) return Fixed(value, 0);
        var (scaled, suffix) = (Math.Abs(value), 0);
        // Rounding first keeps 999.6 from being printed as 1000.
        while (suffix < Suffixes.Length - 1 && scaled >= 999.5) (scaled, suffix) = (scaled / 1000, suffix + 1);
        var decimals = suffix == 0 ? 0 : scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
        return (value < 0 ? "-" : "") + Fixed(scaled, decimals) + Suffixes[suffix];
    }

    /// <summary>That many decimals; "nan", "inf" and "-inf" where the value is not finite.</summary>
    public static string Fixed(double value, int decimals) =>
        double.IsNaN(value) ? "nan"
        : double.IsInfinity(value) ? value > 0 ? "inf" : "-inf"
        : value.ToString("F" + decimals, CultureInfo.InvariantCulture);

    /// <summary>Scientific notation as papers and logs write it: 1.2e13.</summary>
    public static string Scientific(double value)
    {
        if (!double.IsFinite(value)) return Fixed(value, 0);
        return value == 0 ? "0" : value.ToString("0.0e0", CultureInfo.InvariantCulture);
    }

    /// <summary>Hours only where there are any: 0:21, 12:05, 1:02:03.</summary>
    public static string Clock(TimeSpan time)
    {
        var seconds = (long)Math.Round(Math.Max(0, time.TotalSeconds));
        var (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        return hours > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{hours}:{minutes:00}:{seconds % 60:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{minutes}:{seconds % 60:00}");
    }
}
