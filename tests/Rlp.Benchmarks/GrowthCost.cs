namespace Rlp.Benchmarks;

/// <summary>What sampling and learning of one <see cref="GrowthPoint"/> took: wall time, and resident memory above weights and optimizer.</summary>
internal sealed record GrowthCost(double SampleSeconds, long SampleBytes, double LearnSeconds, long LearnBytes);
