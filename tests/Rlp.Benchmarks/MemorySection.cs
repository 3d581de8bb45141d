using System.Globalization;
using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Report;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Weights;
using static TorchSharp.torch;

namespace Rlp.Benchmarks;

/// <summary>Whether a long run keeps its memory: a thousand small RLP steps through the bare loop.</summary>
internal static class MemorySection
{
    public static SectionReport Measure(BenchmarkSettings settings)
    {
        var (steps, every) = settings.Quick ? (60, 5) : (1_000, 50);
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        try
        {
            var recipe = BenchmarkRecipe.Rlp(BenchmarkModel.Small, folder.FullName, steps, positions: 2, groupSize: 4, prefix: 16, thoughtTokens: 8);
            var context = new StageContext("memory", recipe, recipe.Stages[0], folder.FullName, Threads: 1, new NodeWeights());
            List<double> at = [], managed = [], resident = [], tensors = [];
            using (var loop = new BareLoop(new TorchEngineFactory(), context))
            {
                while (loop.Step < steps)
                {
                    loop.Next();
                    if (loop.Step % every != 0) continue;
                    at.Add(loop.Step);
                    managed.Add(GC.GetTotalMemory(forceFullCollection: true) / (double)(1 << 20));
                    resident.Add(ResidentMemory.Now() / (double)(1 << 20));
                    tensors.Add(Tensor.TotalCount);
                }
            }
            return new SectionReport("memory",
                [
                    new FigureTable($"{steps:#,0} RLP steps, rise per 1,000 steps",
                    [
                        Rise("managed heap", "MiB", 1, at, managed),
                        Rise("resident set", "MiB", 1, at, resident),
                        Rise("live tensors", "tensors", 0, at, tensors),
                    ]),
                ],
                [
                    Series("managed heap after a collection, MiB", managed), Series("resident set, MiB", resident), Series("live tensors", tensors),
                    "the rise is the slope of a straight line through the last three quarters; flat: at most two standard errors, 1% of the level, or 1 MiB",
                ]);

            string Series(string what, List<double> values) =>
                $"{what}, every {every} steps: {string.Join(' ', values.Select(v => v.ToString("0.#", CultureInfo.InvariantCulture)))}";
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Figure Rise(string what, string unit, double floor, List<double> at, List<double> values)
    {
        var skipped = at.Count / 4; // the runtime and the allocator reach their working size
        var (slope, error) = Slope(at[skipped..], values[skipped..]);
        var noise = Math.Max(2 * error * 1_000, Math.Max(0.01 * values.Average(), floor));
        return (Figure.Once(what, unit, slope * 1_000) with { OursMeasured = values }).With(Goal.AtMost, noise);
    }

    /// <summary>Least squares: the slope and its standard error.</summary>
    private static (double Slope, double Error) Slope(List<double> x, List<double> y)
    {
        double meanX = x.Average(), meanY = y.Average();
        var spread = x.Sum(v => (v - meanX) * (v - meanX));
        var slope = x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum() / spread;
        var residual = x.Zip(y, (a, b) => Math.Pow(b - meanY - (slope * (a - meanX)), 2)).Sum();
        return (slope, Math.Sqrt(residual / (x.Count - 2) / spread));
    }
}
