using Rlp.Models;
using Rlp.Models.Tokenizers;
using Rlp.Objective;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Sampling;
using static TorchSharp.torch;

namespace Rlp.Training;

/// <summary>
/// Accuracy of the next token with and without thinking on held-out problems: k answers sampled per problem (avg@k). Every policy meets the
/// same problems and the same sampling noise, so that differences between stages are paired.
/// </summary>
public sealed class HeldOutEvaluation : IDisposable
{
    private const int ProblemsAtOnce = 64;
    private const int Samples = 6; // shown in reports

    private readonly IDecoder policy;
    private readonly ITokenizer tokenizer;
    private readonly CompareSettings settings;
    private readonly long seed;
    private readonly IReadOnlyList<GroupPosition> problems;
    private readonly ThoughtSampler sampler;
    private readonly Tensor answerMask; // [V]: an answer is text, neither padding nor a thought marker

    /// <param name="problems">One position per held-out problem, at least as many as any evaluation asks for.</param>
    public HeldOutEvaluation(IDecoder policy, ITokenizer tokenizer, CompareSettings settings, long seed, IReadOnlyList<GroupPosition> problems)
    {
        (this.policy, this.tokenizer, this.settings, this.seed, this.problems) = (policy, tokenizer, settings, seed, problems);
        sampler = new ThoughtSampler(policy, tokenizer, seed, new SamplingSettings { Temperature = settings.Temperature, MaxThoughtTokens = settings.MaxThoughtTokens });
        using var scope = NewDisposeScope();
        var mask = SamplingMasks.Tokens(tokenizer, policy.Config.VocabularySize);
        foreach (var token in new[] { tokenizer.Padding, tokenizer.BeginThought, tokenizer.EndThought }) mask[token] = float.NegativeInfinity;
        answerMask = mask.to(policy.Parameters.Values.device).MoveToOuterDisposeScope().DetachFromDisposeScope();
    }

    /// <summary>Evaluates the policy as it is now on the first <paramref name="count"/> problems.</summary>
    public EvaluationResult Run(int count)
    {
        using var noGradient = no_grad();
        List<double> think = [], nothink = [], predicted = [], without = [], lengths = [];
        var samples = new List<EvaluationSample>();
        var scorer = new EvidenceScorer(policy, tokenizer, int.MaxValue);
        for (var start = 0; start < count; start += ProblemsAtOnce)
        {
            using var scope = NewDisposeScope();
            GroupPosition[] part = [.. problems.Skip(start).Take(Math.Min(ProblemsAtOnce, count - start))];
            var (groups, predictions) = sampler.SampleWithPredictions(0, part, settings.Samples, NoisePurpose.EvaluationThought);
            var thinkAnswers = Answers(predictions, part, NoisePurpose.EvaluationAnswer);
            var nothinkAnswers = Answers(NothinkLogits(part).repeat_interleave(settings.Samples, 0), part, NoisePurpose.EvaluationNothinkAnswer);
            var evidence = scorer.WithoutThought(part);
            for (var i = 0; i < part.Length; i++)
            {
                think.Add(ShareRight(thinkAnswers, i, part[i].NextToken));
                nothink.Add(ShareRight(nothinkAnswers, i, part[i].NextToken));
                predicted.Add(groups[i].Thoughts.Average(t => t.PredictedEvidence));
                lengths.Add(groups[i].Thoughts.Average(t => (double)t.Tokens.Length));
                without.Add(evidence[i]);
                if (samples.Count < Samples)
                    samples.Add(Sample(part[i], groups[i].Thoughts[0], (int)thinkAnswers[i * settings.Samples], evidence[i]));
            }
        }
        return new EvaluationResult(
            think.Average(), StandardError(think), nothink.Average(), StandardError(nothink),
            predicted.Average(), without.Average(), lengths.Average(), samples);
    }

    private Tensor NothinkLogits(GroupPosition[] part)
    {
        using var scope = NewDisposeScope();
        using var pack = new PackedSequences([.. part.Select(p => p.Prefix)], answerMask.device);
        var last = tensor([.. Enumerable.Range(0, pack.Count).Select(i => (long)pack.Last(i))], device: answerMask.device);
        return policy.Logits(policy.Hidden(pack).index_select(0, last)).MoveToOuterDisposeScope();
    }

    private long[] Answers(Tensor logits, GroupPosition[] part, NoisePurpose purpose)
    {
        using var scope = NewDisposeScope();
        var noise = part.SelectMany(p => Enumerable.Range(0, settings.Samples).Select(k => SamplingNoise.Uniform(seed, purpose, 0, p.Group, k, 0))).ToArray();
        var logProbabilities = nn.functional.log_softmax(logits.Over(settings.Temperature).Plus(answerMask), -1);
        return [.. DeviceDecoding.Draw(logProbabilities, tensor(noise, device: logits.device)).cpu().data<long>()];
    }

    private double ShareRight(long[] answers, int problem, int nextToken) =>
        Enumerable.Range(problem * settings.Samples, settings.Samples).Average(i => answers[i] == nextToken ? 1.0 : 0.0);

    private EvaluationSample Sample(GroupPosition position, SampledThought thought, int answer, double evidence) => new(
        tokenizer.Decode(position.Prefix), tokenizer.Decode(thought.Tokens.AsSpan()[..^1]), tokenizer.Decode([position.NextToken]),
        tokenizer.Decode([answer]), thought.PredictedEvidence, evidence);

    /// <summary>Of the mean over problems.</summary>
    private static double StandardError(List<double> values)
    {
        if (values.Count < 2) return double.NaN;
        var mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Count - 1) / values.Count);
    }

    public void Dispose()
    {
        sampler.Dispose();
        answerMask.Dispose();
    }
}
