namespace Rlp.Benchmarks.Report;

/// <summary>What one section measured.</summary>
/// <param name="Notes">What is and is not inside the figures, and what kept one from being measured.</param>
internal sealed record SectionReport(string Section, IReadOnlyList<FigureTable> Tables, IReadOnlyList<string> Notes);
