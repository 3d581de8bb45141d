namespace Rlp.Models.Tests.Weights;

/// <summary>
/// Conversions by arithmetic on values rather than on bits: a format is its precision and its exponents, and the nearest of its numbers is
/// found by scaling to whole numbers and rounding those to even.
/// </summary>
internal static class HalfPrecision
{
    /// <summary>bfloat16: 8 significant bits, exponents of float32.</summary>
    public static double ToBFloat16(double value) => Round(value, precision: 8, lowestExponent: -126, largest: 3.3895313892515355e38);

    /// <summary>The value of 16 bits as bfloat16 (8 bits of exponent) or IEEE half (5 bits of exponent).</summary>
    public static double FromBits(ushort bits, int exponentBits)
    {
        int fractionBits = 15 - exponentBits, bias = (1 << (exponentBits - 1)) - 1;
        var sign = (bits >> 15) == 0 ? 1.0 : -1.0;
        int exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1), fraction = bits & ((1 << fractionBits) - 1);
        if (exponent == (1 << exponentBits) - 1) return fraction == 0 ? sign * double.PositiveInfinity : double.NaN;
        return exponent == 0
            ? sign * fraction * Math.Pow(2, 1 - bias - fractionBits)
            : sign * (1 + (fraction * Math.Pow(2, -fractionBits))) * Math.Pow(2, exponent - bias);
    }

    private static double Round(double value, int precision, int lowestExponent, double largest)
    {
        if (value == 0 || !double.IsFinite(value)) return value;
        var unit = Math.Pow(2, Math.Max(Math.ILogB(value), lowestExponent) - (precision - 1));
        var rounded = Math.Round(value / unit, MidpointRounding.ToEven) * unit;
        return Math.Abs(rounded) > largest ? Math.CopySign(double.PositiveInfinity, value) : rounded;
    }
}
