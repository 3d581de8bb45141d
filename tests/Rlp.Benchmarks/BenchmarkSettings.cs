namespace Rlp.Benchmarks;

/// <param name="Quick">Small sizes: shows that a section runs, measures nothing.</param>
/// <param name="Threads">Of libtorch and of the peer.</param>
/// <param name="Repeats">Measurements of which figures are the medians.</param>
internal sealed record BenchmarkSettings(bool Quick, int Threads, int Repeats);
