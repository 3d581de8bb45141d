using System.Globalization;

namespace Rlp.Consoles;

/// <summary>Values as cells of a table: "-" where there is none.</summary>
internal static class Texts
{
    public const string None = "-";

    public static string Of(long number) => number.ToString(CultureInfo.InvariantCulture);

    public static string Of(double? number) => number?.ToString("G5", CultureInfo.InvariantCulture) ?? None;

    public static string Of(string? text) => string.IsNullOrEmpty(text) ? None : text;

    public static string Of(DateTimeOffset time) => time.UtcDateTime.ToString("u", CultureInfo.InvariantCulture);

    public static string Since(DateTimeOffset now, long unixMilliseconds) => Of(now - DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds));

    /// <summary>The two largest units: 12 s, 3 min 20 s, 2 h 5 min, 1 d 3 h.</summary>
    public static string Of(TimeSpan span) => span switch
    {
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, span.TotalSeconds):0.0} s"),
        { TotalMinutes: < 1 } => $"{span.Seconds} s",
        { TotalHours: < 1 } => $"{span.Minutes} min {span.Seconds} s",
        { TotalDays: < 1 } => $"{span.Hours} h {span.Minutes} min",
        _ => $"{(long)span.TotalDays} d {span.Hours} h",
    };

    public static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => $"{bytes} B",
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.#} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:0.##} GiB"),
    };
}
