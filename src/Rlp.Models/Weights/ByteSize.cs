using System.Globalization;

namespace Rlp.Models.Weights;

/// <summary>Sizes as people write them.</summary>
public static class ByteSize
{
    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1), ("", 1),
    ];

    /// <summary>5GB and 500MB (powers of ten, as Hugging Face counts), 2GiB (powers of two), or plain bytes.</summary>
    /// <exception cref="ModelFormatException">Not a size, or none above zero.</exception>
    public static long Parse(string text)
    {
        foreach (var (unit, bytes) in Units)
        {
            if (!text.EndsWith(unit, StringComparison.OrdinalIgnoreCase)) continue;
            if (!decimal.TryParse(text[..^unit.Length].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) break;
            if (number <= 0 || number > long.MaxValue / bytes) break;
            return (long)(number * bytes) is > 0 and var size ? size : throw Refused(text);
        }
        throw Refused(text);
    }

    /// <summary>For people: 3.44 GB.</summary>
    public static string Text(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.##} KB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.##} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.##} GB"),
    };

    private static ModelFormatException Refused(string text) =>
        new($"'{text}' is no size; expected for instance 5GB, 500MB, 2GiB or a number of bytes");
}
