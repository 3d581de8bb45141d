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
    public RlpStepResult Run(long step, StepData data) => Run(
        step,
        settings.BehaviourVersion(step), //                                       1.         theta_old <- theta (with a staleness: an older theta)
        [.. LaneSlices.Of(data.Positions.Count, settings.Lanes).Select(lane => data.Positions.Take(lane).ToArray())]); // 2. B pairs, in lanes

    /// <summary>A step whose plan is given: the version that samples, and the positions of each lane in the order of the groups.</summary>
    public RlpStepResult Run(long step, long version, IReadOnlyList<IReadOnlyList<GroupPosition>> lanes)
    {
        var groups = new List<ScoredGroup>();
        foreach (var positions in lanes) //                                       2.         pairs (prefix, next token)
        {
            var sampled = rollout.Sample(step, version, positions); //            3., 6.     G thoughts each from theta_old, and S_pred
            var evidence = reward.Score(version, positions); //                   4., 5.     S_ema from phi, which was theta before the first step
            groups.AddRange(sampled.Zip(evidence, (s, e) => new ScoredGroup(s, e))); // 7.   r = S_pred - S_ema
        }
        var applied = learner.ApplyRlp(step, groups); //                          8. to 10.  advantages, clipped surrogate, optimizer step
        teacher.Update(); //                                                      10.        phi <- tau phi + (1 - tau) theta
        return new RlpStepResult(groups, applied);
    }
}
