namespace Rlp.Training.Metrics;

/// <summary>One value of one series: a metric of <see cref="MetricNames"/> after a step of a stage; NaN where it was not finite.</summary>
public sealed record MetricPoint(string Stage, long Step, string Name, double Value);
