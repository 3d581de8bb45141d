using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Plain;
using Rlp.Benchmarks.Report;
using Rlp.Training.Engines;
using Rlp.Training.Engines.Torch;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Benchmarks;

/// <summary>What a whole RLP step takes, beside its parts and beside the plain formulation of Algorithm 1.</summary>
internal static class StepSection
{
    public static SectionReport Measure(BenchmarkSettings settings)
    {
        var config = settings.Quick ? BenchmarkModel.Small : BenchmarkModel.TenMillion;
        var (positions, groupSize, prefix, thought, steps) = settings.Quick ? (2, 4, 24, 8, 3) : (4, 16, 256, 64, 3);
        var folder = Directory.CreateTempSubdirectory("rlp-bench-");
        try
        {
            var recipe = BenchmarkRecipe.Rlp(config, folder.FullName, steps, positions, groupSize, prefix, thought);
            using var model = new BenchmarkModel(config, trainable: true);
            var agreement = OwnThread.Run(settings.Threads, () => PlainAgreement.Check(model));
            using var plain = new PlainRlp(model, ExactThoughts.Temperature);
            var plainPositions = model.Positions(positions, prefix - 1);
            var parts = new List<PartSeconds>();
            var measured = InTurns.Measure("step", settings.Repeats,
                () => ActorPath.ActorsAsync(recipe, settings.Threads).GetAwaiter().GetResult() / 1e3,
                () =>
                {
                    parts.Add(OwnThread.Run(settings.Threads, () => Parts(recipe, settings.Threads)));
                    return parts[^1].Sum;
                },
                () => OwnThread.Run(settings.Threads, () => InTurns.Seconds(() => plain.Step(plainPositions, groupSize, thought))));
            parts.RemoveAt(0); // the warm-up
            var tokens = parts[0].ThoughtTokens;
            var plainTokens = (double)positions * groupSize * thought;
            return new SectionReport("step",
            [
                new FigureTable($"A step of {positions} positions, prefix {prefix}, G = {groupSize}, thoughts of {thought}, {model.Description}",
                [
                    Part("data", p => p.Data),
                    Part("sampling, S_pred", p => p.Sample),
                    Part("scoring, S_ema", p => p.Score),
                    Part("learning", p => p.Learn),
                    Part("teacher", p => p.Teacher),
                    Figure.Of("whole step, actor system", "ms", Milliseconds(measured[0]), "sum of its parts", Milliseconds(measured[1]))
                        .WithRatio(Goal.AtMost, 1.03),
                    Figure.Of("whole step, actor system", "thought tokens/s", [.. measured[0].Select(s => tokens / s)],
                        "plain formulation", [.. measured[2].Select(s => plainTokens / s)]).WithRatio(Goal.AtLeast, 3),
                ]),
            ],
            [
                $"actor system and parts take the same steps of one run, {tokens:0} thought tokens each on average; the first is not timed",
                "messages and journal are in the whole step, not in the parts",
                "plain formulation: a cache for each thought, S_pred by a second pass, every thought trained with its prefix, composed norms",
                agreement,
            ]);

            Figure Part(string name, Func<PartSeconds, double> of) => Figure.Of(name, "ms", Milliseconds(parts.Select(of)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Of one step on average.</summary>
    private sealed record PartSeconds(double Data, double Sample, double Score, double Learn, double Teacher, double ThoughtTokens)
    {
        public double Sum => Data + Sample + Score + Learn + Teacher;
    }

    /// <summary>The calls that the actor system makes, one after the other; the first step is not timed.</summary>
    private static PartSeconds Parts(Recipe recipe, int threads)
    {
        var stage = recipe.Stages[0];
        var context = new StageContext("parts", recipe, stage, Path.GetTempPath(), threads, new NodeWeights());
        var engines = new TorchEngineFactory();
        using var data = engines.OpenData(context);
        using var learner = engines.OpenLearner(context, null);
        using var teacher = engines.OpenTeacher(context, null);
        using var rollout = engines.OpenRollout(context);
        using var reward = engines.OpenReward(context);
        var cursor = default(Corpora.DataCursor);
        double[] seconds = new double[5];
        long tokens = 0;
        for (var step = 1; step <= stage.Steps; step++)
        {
            StepData? batch = null;
            IReadOnlyList<SampledGroup> sampled = [];
            double[] evidence = [];
            double[] taken =
            [
                InTurns.Seconds(() => batch = data.Load(cursor)),
                InTurns.Seconds(() => sampled = rollout.Sample(step, step - 1, batch!.Positions)),
                InTurns.Seconds(() => evidence = reward.Score(step - 1, batch!.Positions)),
                InTurns.Seconds(() => learner.ApplyRlp(step, [.. sampled.Zip(evidence, (s, e) => new ScoredGroup(s, e))])),
                InTurns.Seconds(() => teacher.Update()),
            ];
            cursor = batch!.To;
            if (step == 1) continue;
            for (var part = 0; part < seconds.Length; part++) seconds[part] += taken[part] / (stage.Steps - 1);
            tokens += sampled.Sum(g => g.Thoughts.Sum(t => t.Tokens.Length));
        }
        return new PartSeconds(seconds[0], seconds[1], seconds[2], seconds[3], seconds[4], tokens / (stage.Steps - 1.0));
    }

    private static double[] Milliseconds(IEnumerable<double> seconds) => [.. seconds.Select(s => s * 1e3)];
}
