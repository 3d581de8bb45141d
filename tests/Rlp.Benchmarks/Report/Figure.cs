using Rlp.Benchmarks.Measuring;

namespace Rlp.Benchmarks.Report;

/// <summary>One line of a table: what was measured of this project, beside what, and their ratio (always ours divided by the other).</summary>
/// <param name="Name">What was done.</param>
/// <param name="Unit">Of both values.</param>
/// <param name="Ours">Median.</param>
/// <param name="Beside">What <paramref name="Reference"/> is; or why there is none.</param>
/// <param name="Reference">Median; null where nothing was compared.</param>
/// <param name="Ratio">The median of the ratios of measurements made side by side, which a drifting machine moves least.</param>
internal sealed record Figure(string Name, string Unit, double Ours, string Beside, double? Reference, double? Ratio)
{
    public Goal? Goal { get; init; }

    /// <summary>The single measurements behind <see cref="Ours"/>, in the order in which they were made.</summary>
    public IReadOnlyList<double> OursMeasured { get; init; } = [];

    public IReadOnlyList<double> ReferenceMeasured { get; init; } = [];

    public static Figure Of(string name, string unit, IReadOnlyList<double> ours, string beside = "", IReadOnlyList<double>? reference = null) =>
        new(name, unit, Median.Of(ours), beside, reference is null ? null : Median.Of(reference),
            reference is null ? null : Median.Of([.. ours.Zip(reference, (a, b) => a / b)]))
        {
            OursMeasured = ours,
            ReferenceMeasured = reference ?? [],
        };

    /// <summary>A figure that is no median of repeated measurements.</summary>
    public static Figure Once(string name, string unit, double ours, string beside = "", double? reference = null) =>
        new(name, unit, ours, beside, reference, ours / reference);

    /// <summary>The same with a bound that <see cref="Ours"/> should keep.</summary>
    public Figure With(Func<double, double, Goal> goal, double bound) => this with { Goal = goal(Ours, bound) };

    /// <summary>The same with a bound that <see cref="Ratio"/> should keep; without a ratio there is nothing to reach.</summary>
    public Figure WithRatio(Func<double, double, Goal> goal, double bound) =>
        Ratio is { } ratio ? this with { Goal = goal(ratio, bound) with { Text = $"ratio {goal(ratio, bound).Text}" } } : this;
}
