using static TorchSharp.torch;

namespace Rlp.Benchmarks.Measuring;

/// <summary>What the machine can do at most in fp32 through libtorch, with the calling thread's number of threads.</summary>
internal static class GemmPeak
{
    private static readonly (long M, long K, long N)[] Shapes = [(1024, 1024, 1024), (2048, 1024, 2048), (2048, 256, 1536), (2048, 2048, 2048)];

    /// <summary>The best of several shapes, three calls each, in FLOP/s.</summary>
    public static double FlopsPerSecond()
    {
        using var noGradient = no_grad();
        return Shapes.Max(shape =>
        {
            using var scope = NewDisposeScope();
            var (a, b, c) = (rand(shape.M, shape.K), rand(shape.K, shape.N), zeros(shape.M, shape.N));
            mm(a, b);
            return Enumerable.Range(0, 3).Max(_ => 2.0 * shape.M * shape.K * shape.N / InTurns.Seconds(() => c.addmm_(a, b, beta: 0, alpha: 1)));
        });
    }
}
