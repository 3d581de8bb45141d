using Rlp.Models;
using Rlp.Training.Recipes;

namespace Rlp.Training.Measurement;

/// <summary>How fast a learner makes steps of next-token prediction: forward, backward and AdamW over whole documents.</summary>
/// <param name="Batch">Documents of a step.</param>
/// <param name="Length">Tokens of each.</param>
/// <param name="Seconds">Of one step.</param>
/// <param name="Flops">Of one step, see <see cref="StageFlops"/>.</param>
public sealed record LearnerMeasurement(int Batch, int Length, double Seconds, double Flops)
{
    private const int Seed = 1;

    public double TokensPerS => Batch * (double)Length / Seconds;

    public double FlopsPerS => Flops / Seconds;

    /// <param name="policy">Over a trainable arena; its parameters change.</param>
    /// <param name="repeats">Timed steps after one to warm up; the median counts.</param>
    public static LearnerMeasurement Run(IDecoder policy, int batch, int length, int repeats)
    {
        var vocabulary = new BareVocabulary(policy.Config.VocabularySize);
        using var learner = new Learner(policy, vocabulary, Stage(batch, length));
        var documents = vocabulary.Documents(batch, length, Seed);
        long step = 0;
        double flops = 0;
        var seconds = MedianTime.Seconds(repeats, () => flops = learner.ApplyNtp(++step, documents).Flops);
        return new LearnerMeasurement(batch, length, seconds, flops);
    }

    private static StageSettings Stage(int batch, int length) => new()
    {
        Id = "measurement",
        Kind = StageKind.Ntp,
        Steps = long.MaxValue,
        BatchSize = batch,
        ContextLength = length,
        Data = [],
        Optimizer = new OptimizerSettings { LearningRate = 1e-5, WeightDecay = 0.1 },
    };
}
