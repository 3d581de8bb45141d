using Rlp.Benchmarks.Measuring;
using Rlp.Benchmarks.Plain;
using Rlp.Benchmarks.Report;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Measurement;

namespace Rlp.Benchmarks;

/// <summary>What the learner makes of the machine, and of the prefix that a group shares.</summary>
internal static class LearnerSection
{
    public static SectionReport Measure(BenchmarkSettings settings)
    {
        var config = settings.Quick ? BenchmarkModel.Small : BenchmarkModel.TenMillion;
        using var model = new BenchmarkModel(config, trainable: true);
        var agreement = PlainAgreement.Check(model);
        return new SectionReport("learner",
        [
            new FigureTable($"Next-token prediction, {model.Description}", NextToken(model, settings)),
            new FigureTable("RLP batches, the same model", [Rlp(model, settings)]),
        ],
        [
            "a step is forward, backward, AdamW and the digest of the parameters that the journal holds",
            "FLOP/s counts what the model needs, nothing that is computed twice; the peak is the best of several GEMMs in the same round",
            agreement,
        ]);
    }

    private static Figure[] NextToken(BenchmarkModel model, BenchmarkSettings settings)
    {
        var (count, length) = settings.Quick ? (2, 32) : (8, 256);
        var documents = model.Documents(count, length);
        using var learner = new Learner(model.Decoder, model.Tokenizer, ExactThoughts.NtpStage(count));
        long step = 0;
        double flops = 0;
        var measured = InTurns.Measure("learner", settings.Repeats,
            () => InTurns.Seconds(() => flops = learner.ApplyNtp(++step, documents).Flops), MachinePeaks.Gemm);
        return
        [
            Figure.Of($"batch {count} x {length}", "tokens/s", [.. measured[0].Select(seconds => count * length / seconds)]),
            Figure.Of("  its arithmetic", "GFLOP/s", [.. measured[0].Select(seconds => flops / seconds / 1e9)],
                "fp32 GEMM peak", [.. measured[1].Select(peak => peak / 1e9)]).WithRatio(Goal.AtLeast, 0.6),
        ];
    }

    private static Figure Rlp(BenchmarkModel model, BenchmarkSettings settings)
    {
        var (groups, groupSize, prefix, thought) = settings.Quick ? (2, 4, 24, 8) : (4, 16, 256, 64);
        using var sampler = ExactThoughts.Sampler(model, thought);
        var sampled = ExactThoughts.Sample(sampler, 1, model.Positions(groups, prefix - 1), groupSize, thought);
        ScoredGroup[] scored = [.. sampled.Select(g => new ScoredGroup(g, -8.0))];
        using var learner = new Learner(model.Decoder, model.Tokenizer, ExactThoughts.RlpStage(groups, groupSize, thought));
        using var plain = new PlainRlp(model, ExactThoughts.Temperature);
        long step = 0;
        var tokens = groups * groupSize * thought;
        var measured = InTurns.Measure("learner, RLP", settings.Repeats,
            () => tokens / InTurns.Seconds(() => learner.ApplyRlp(++step, scored)), () => tokens / InTurns.Seconds(() => plain.Learn(scored)));
        return Figure.Of($"{groups} groups of {groupSize}, prefix {prefix}, thoughts of {thought}", "thought tokens/s", measured[0],
            "plain: every thought with its prefix", measured[1]).WithRatio(Goal.AtLeast, 2);
    }
}
