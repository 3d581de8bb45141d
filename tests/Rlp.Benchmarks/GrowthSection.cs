using Rlp.Benchmarks.Report;
using Rlp.Models;

namespace Rlp.Benchmarks;

/// <summary>How time and memory of a thought token grow with each size of an RLP step, one size at a time.</summary>
internal static class GrowthSection
{
    /// <summary>Shapes between the benchmark's model and Qwen3-0.6B, which is the last.</summary>
    private static readonly Qwen3Config[] Shapes =
    [
        BenchmarkModel.TenMillion,
        BenchmarkModel.TenMillion with { HiddenSize = 512, IntermediateSize = 1536, Layers = 12, HeadDim = 64 },
        SixHundredMillion with { VocabularySize = BenchmarkModel.TenMillion.VocabularySize, Layers = 8 },
        SixHundredMillion,
    ];

    private static Qwen3Config SixHundredMillion => new()
    {
        VocabularySize = 151_936,
        HiddenSize = 1024,
        IntermediateSize = 3072,
        Layers = 28,
        AttentionHeads = 16,
        KeyValueHeads = 8,
        HeadDim = 128,
        RopeTheta = 1_000_000,
    };

    public static SectionReport Measure(BenchmarkSettings settings)
    {
        var model = settings.Quick ? BenchmarkModel.Small : BenchmarkModel.TenMillion;
        var repeats = Math.Min(3, settings.Repeats);
        var middle = new GrowthPoint(model.ToJson(), Groups: 2, GroupSize: 8, Prefix: 128, Thought: 32, settings.Threads, repeats);
        var large = middle with { GroupSize = 4, Prefix = 64, Thought = 16, Repeats = 1 };
        return new SectionReport("growth",
        [
            Table("prefix", settings.Quick ? [32, 64] : [64, 256, 1024], size => middle with { Prefix = size }, linear: true),
            Table("thought length", settings.Quick ? [16, 32] : [16, 64, 256], size => middle with { Thought = size }, linear: true),
            Table("G", settings.Quick ? [4, 8] : [4, 16, 64], size => middle with { GroupSize = size }, linear: false),
            Table("vocabulary", settings.Quick ? [256, 1024] : [4096, 32_768, 151_936],
                size => middle with { Model = (model with { VocabularySize = size }).ToJson() }, linear: true),
            Parameters(settings.Quick ? [BenchmarkModel.Small, BenchmarkModel.Small with { Layers = 4 }] : Shapes, large),
        ],
        [
            $"unless a table says otherwise: {Shape(middle)}; each size in a process of its own",
            $"parameters: {Shape(large)}; the last shape is Qwen3-0.6B's",
            "time and memory are per thought token; memory is the peak of the resident set above weights, gradients and moments",
            "goal: a ratio per token of at most the ratio of the sizes: a step linear in parameters and vocabulary, at most quadratic in lengths; "
                + "with G it does not rise at all",
        ]);

        static string Shape(GrowthPoint point) => $"{point.Groups} groups of {point.GroupSize}, prefix {point.Prefix}, thoughts of {point.Thought}";
    }

    private static FigureTable Table(string dimension, int[] sizes, Func<int, GrowthPoint> at, bool linear) =>
        Table(dimension, [.. sizes.Select(size => ($"{size:#,0}", (double)size, at(size)))], linear);

    private static FigureTable Parameters(Qwen3Config[] shapes, GrowthPoint point) => Table("parameters",
        [
            .. shapes.Select(s => (Shape: s, Count: (double)Decoder.Layout(s).ParameterCount))
                .Select(s => ($"{s.Count / 1e6:0.0} M", s.Count, point with { Model = s.Shape.ToJson() }))
        ], linear: true);

    private static FigureTable Table(string dimension, (string Name, double Size, GrowthPoint Point)[] sizes, bool linear)
    {
        var costs = sizes.Select(s =>
        {
            var cost = s.Point.Measure();
            Console.Error.WriteLine($"  {dimension} {s.Name}: {cost}");
            return cost;
        }).ToArray();
        return new FigureTable($"Growth with {dimension}",
        [
            .. Rows("sampling", "us/token", (cost, point) => cost.SampleSeconds * 1e6 / point.ThoughtTokens),
            .. Rows("learning", "us/token", (cost, point) => cost.LearnSeconds * 1e6 / point.ThoughtTokens),
            .. Rows("sampling memory", "KiB/token", (cost, point) => cost.SampleBytes / 1024.0 / point.ThoughtTokens),
            .. Rows("learning memory", "KiB/token", (cost, point) => cost.LearnBytes / 1024.0 / point.ThoughtTokens),
        ]);

        IEnumerable<Figure> Rows(string what, string unit, Func<GrowthCost, GrowthPoint, double> perToken) => sizes.Select((s, i) =>
        {
            double here = perToken(costs[i], s.Point), smallest = perToken(costs[0], sizes[0].Point);
            var figure = Figure.Once($"{what}, {dimension} {s.Name}", unit, here, $"at {sizes[0].Name}", smallest);
            return i == 0 ? figure : figure.WithRatio(Goal.AtMost, linear ? s.Size / sizes[0].Size : 1.1);
        });
    }
}
