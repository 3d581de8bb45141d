using System.Diagnostics;
using static TorchSharp.torch;

namespace Rlp.Training.Measurement;

/// <summary>The two ceilings of this machine, as libtorch reaches them with the calling thread's intra-op threads.</summary>
/// <param name="GemmFlops">FLOP/s of float32 matrix products: the best of a few shapes.</param>
/// <param name="ReadBytes">Bytes per second that a sum over far more memory than any cache reads.</param>
public sealed record MachinePeaks(double GemmFlops, double ReadBytes)
{
    /// <summary>Rows, inner dimension, columns: squares, and the tall products of a batch of tokens with a small and a larger layer.</summary>
    private static readonly (long Rows, long Inner, long Columns)[] Shapes =
        [(1024, 1024, 1024), (2048, 2048, 2048), (2048, 256, 1536), (4096, 1024, 1024)];

    private static readonly TimeSpan PerShape = TimeSpan.FromMilliseconds(300);

    private const long ReadElements = 1 << 26; // 256 MiB

    public static MachinePeaks Measure()
    {
        using var noGradient = no_grad();
        return new MachinePeaks(Gemm(), Read());
    }

    /// <summary>FLOP/s, see <see cref="GemmFlops"/>.</summary>
    public static double Gemm()
    {
        using var noGradient = no_grad();
        return Shapes.Max(Gemm);
    }

    private static double Gemm((long Rows, long Inner, long Columns) shape)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (rand(shape.Rows, shape.Inner), rand(shape.Inner, shape.Columns));
        var seconds = Best(() => mm(a, b).Dispose());
        return 2.0 * shape.Rows * shape.Inner * shape.Columns / seconds;
    }

    private static double Read()
    {
        using var scope = NewDisposeScope();
        var values = ones(ReadElements, dtype: float32);
        return ReadElements * sizeof(float) / Best(() => values.sum().Dispose());
    }

    /// <summary>A ceiling is what the best call reaches: what disturbs a call only ever makes it slower.</summary>
    private static double Best(Action call)
    {
        call();
        var (best, began) = (double.PositiveInfinity, Stopwatch.GetTimestamp());
        do
        {
            var started = Stopwatch.GetTimestamp();
            call();
            best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }
        while (Stopwatch.GetElapsedTime(began) < PerShape);
        return best;
    }
}
