using Rlp.Models;
using Rlp.Objective;
using Rlp.Training.Measurement;
using Rlp.Training.Recipes;

namespace Rlp.Training.Planning;

/// <summary>What one step of a stage computes and how long that takes.</summary>
/// <param name="Flops">By <see cref="StageFlops"/>.</param>
/// <param name="InputTokens">Corpus tokens.</param>
/// <param name="ThoughtTokens">Sampled tokens at most.</param>
/// <param name="MeanLength">Tokens of a document or prefix.</param>
/// <param name="RolloutSeconds">Reading the prefixes and decoding the thoughts.</param>
/// <param name="EvidenceSeconds">The teacher's pass.</param>
/// <param name="LearningSeconds">Forward, backward, optimizer.</param>
public sealed record StepCost(
    double Flops, long InputTokens, long ThoughtTokens, double MeanLength, double RolloutSeconds, double EvidenceSeconds, double LearningSeconds)
{
    public double Seconds => RolloutSeconds + EvidenceSeconds + LearningSeconds;

    /// <param name="nodes">Nodes that share the lanes; one of them learns.</param>
    public static StepCost Of(
        StageSettings stage, FirstStep step, DecoderConfig config, DecoderCosts costs, DeviceRates rates, int elementBytes, int nodes)
    {
        var speed = rates.Flops * rates.TrainingUtilisation;
        if (stage.Rlp is not { } rlp)
        {
            var flops = StageFlops.Ntp(costs, step.Documents);
            return new StepCost(flops, step.InputTokens, 0, step.MeanLength, 0, 0, flops / speed);
        }
        var total = StageFlops.Rlp(costs, step.Groups);
        double prefill = 0, decoding = 0, evidence = 0;
        foreach (var group in step.Groups)
        {
            var prefix = group.Sampled.Position.Prefix.Length;
            prefill += Forward(prefix + 1, 0);
            evidence += Forward(prefix, 0);
            decoding += rlp.GroupSize * Forward(rlp.MaxThoughtTokens, prefix + 1);
        }
        var lane = new SamplerWorkload((int)step.MeanLength, rlp.MaxThoughtTokens, (step.Groups.Count + rlp.Lanes - 1) / rlp.Lanes, rlp.GroupSize);
        var inTurn = (rlp.Lanes + nodes - 1) / nodes; // lanes that one node works on, one after the other
        var decodingSeconds = inTurn * DecodingRoofline.Seconds(config, costs, lane, elementBytes, rates.Flops, rates.ReadBytes)
            / rates.DecodingUtilisation;
        var share = inTurn / (double)rlp.Lanes;
        return new StepCost(
            total, step.InputTokens, step.ThoughtTokens, step.MeanLength,
            (share * prefill / speed) + decodingSeconds, share * evidence / speed, (total - prefill - decoding - evidence) / speed);

        double Forward(long queries, long cached) =>
            Budgets.ForwardFlops(costs.MatrixParameters, queries, cached, costs.AttentionWidth, costs.StateFlops);
    }
}
