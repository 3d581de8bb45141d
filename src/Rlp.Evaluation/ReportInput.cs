using Rlp.Training.Engines;
using Rlp.Training.Metrics;

namespace Rlp.Evaluation;

/// <summary>
/// Everything that a run's report shows. <see cref="Series"/>: all points of all stages, as <see cref="MetricsFile.Read"/> returns them.
/// <see cref="Samples"/>: the samples of each comparison, by the ids of <see cref="StageReport.Id"/>; base and rlp are shown.
/// </summary>
public sealed record ReportInput(
    RunReport Report,
    IReadOnlyList<MetricPoint> Series,
    IReadOnlyDictionary<string, IReadOnlyList<EvaluationSample>> Samples,
    string RecipeText);
