namespace Rlp.Benchmarks;

/// <param name="Quick">One repeat at small sizes: shows that a section runs, measures nothing.</param>
/// <param name="Threads">Of libtorch and of the peer.</param>
internal sealed record BenchmarkSettings(bool Quick, int Threads)
{
    public int Repeats => Quick ? 1 : 5;
}
