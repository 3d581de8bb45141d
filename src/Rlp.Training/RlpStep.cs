using Rlp.Training.Engines;
using Rlp.Training.Recipes;

namespace Rlp.Training;

/// <summary>What one RLP step sampled, scored and changed.</summary>
public sealed record RlpStepResult(IReadOnlyList<ScoredGroup> Groups, AppliedStep Applied);

/// <summary>
/// Algorithm 1 of the paper over the engines of one stage, without actors. The actor system makes the same calls, and where the recipe allows a
/// staleness it samples steps ahead; as each step's behaviour policy is an exact version, both give the same bits, and a test asserts it.
/// </summary>
public sealed class RlpStep(IRolloutEngine rollout, IRewardEngine reward, ILearnerEngine learner, ITeacherEngine teacher, RlpSettings settings)
{
    public RlpStepResult Run(long step, StepData data)
    {
        var version = settings.BehaviourVersion(step); //                         1.         theta_old <- theta (with a staleness: an older theta)
        var groups = new List<ScoredGroup>(data.Positions.Count);
        foreach (var lane in LaneSlices.Of(data.Positions.Count, settings.Lanes)) // 2.      B pairs (prefix, next token), in lanes
        {
            GroupPosition[] positions = [.. data.Positions.Take(lane)];
            var sampled = rollout.Sample(step, version, positions); //            3., 6.     G thoughts each from theta_old, and S_pred
            var evidence = reward.Score(version, positions); //                   4., 5.     S_ema from phi, which was theta before the first step
            groups.AddRange(sampled.Zip(evidence, (s, e) => new ScoredGroup(s, e))); // 7.   r = S_pred - S_ema
        }
        var applied = learner.ApplyRlp(step, groups); //                          8. to 10.  advantages, clipped surrogate, optimizer step
        teacher.Update(); //                                                      10.        phi <- tau phi + (1 - tau) theta
        return new RlpStepResult(groups, applied);
    }
}
