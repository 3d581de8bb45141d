namespace Rlp.Training.Metrics;

/// <summary>
/// The public names of all metrics, in metrics.jsonl, TensorBoard and reports. TRL's name where TRL has the metric, rlp/* where it is this
/// method's own. Means are over the B x G thoughts of a step unless said otherwise; evidences and rewards are in nats.
/// </summary>
public static class MetricNames
{
    /// <summary>Mean reward r = S_pred - S_ema (eq. 5), nats.</summary>
    public const string Reward = "reward";

    /// <summary>Standard deviation of the rewards over all thoughts of the step, nats.</summary>
    public const string RewardStd = "reward_std";

    /// <summary>Mean length of a thought, end marker included, tokens.</summary>
    public const string MeanLength = "completions/mean_length";

    /// <summary>Length of the shortest thought, tokens.</summary>
    public const string MinLength = "completions/min_length";

    /// <summary>Length of the longest thought, tokens.</summary>
    public const string MaxLength = "completions/max_length";

    /// <summary>Share of thoughts in [0, 1] that the length limit cut.</summary>
    public const string ClippedRatio = "completions/clipped_ratio";

    /// <summary>Share of thought tokens in [0, 1] with an importance ratio below 1 - eps_low and a negative advantage (eq. 8).</summary>
    public const string ClipRatioLow = "clip_ratio/low_mean";

    /// <summary>Share of thought tokens in [0, 1] with an importance ratio above 1 + eps_high and a positive advantage (eq. 8).</summary>
    public const string ClipRatioHigh = "clip_ratio/high_mean";

    /// <summary>Share of thought tokens in [0, 1] clipped on either side: the sum of the two.</summary>
    public const string ClipRatioRegion = "clip_ratio/region_mean";

    /// <summary>
    /// Mean over thought tokens of |log pi_theta(token) - log pi_theta_old(token)| when the update begins, nats: what sampler and learner disagree
    /// by. On-policy only the rounding of two ways to compute the same number (about 1e-6 in float32); with a staleness also the policy's change.
    /// </summary>
    public const string SamplingLogpDifferenceMean = "sampling/sampling_logp_difference/mean";

    /// <summary>The largest such difference of the step, nats.</summary>
    public const string SamplingLogpDifferenceMax = "sampling/sampling_logp_difference/max";

    /// <summary>Mean number of optimizer steps between the policy that sampled a group and the one that learns from it; 0 on-policy.</summary>
    public const string Staleness = "rlp/staleness";

    /// <summary>Token-level KL divergence to the stage's initial policy, nats; logged when beta is above 0.</summary>
    public const string Kl = "kl";

    /// <summary>
    /// What the step minimised: the clipped surrogate (RLP, no unit) or the next-token cross-entropy (NTP, nats per token).
    /// </summary>
    public const string Loss = "loss";

    /// <summary>2-norm of the gradient before clipping.</summary>
    public const string GradNorm = "grad_norm";

    /// <summary>Learning rate of the step.</summary>
    public const string LearningRate = "learning_rate";

    /// <summary>Input tokens of the stage so far, this step included.</summary>
    public const string NumTokens = "num_tokens";

    /// <summary>Mean information gain of the step: the same number as <see cref="Reward"/>, nats.</summary>
    public const string InfoGain = "rlp/info_gain";

    /// <summary>Mean S_pred = log p_theta(x_t | prefix, thought), nats.</summary>
    public const string EvidencePolicy = "rlp/evidence_policy";

    /// <summary>Mean S_ema = log p_phi(x_t | prefix), over positions, nats.</summary>
    public const string EvidenceTeacher = "rlp/evidence_teacher";

    /// <summary>
    /// Standard deviation of the rewards within a group, averaged over the groups, nats: zero means nothing to learn from.
    /// </summary>
    public const string GroupRewardStd = "rlp/group_reward_std";

    /// <summary>Mean absolute advantage (eq. 7), nats.</summary>
    public const string AdvantageAbsMean = "rlp/advantage_abs_mean";

    /// <summary>Mean entropy of the policy at the thought tokens, nats.</summary>
    public const string Entropy = "entropy";

    /// <summary>Wall time of loading the step's data, seconds.</summary>
    public const string DataSeconds = "time/data_s";

    /// <summary>Wall time of sampling the thoughts and scoring S_pred, seconds.</summary>
    public const string RolloutSeconds = "time/rollout_s";

    /// <summary>Wall time of scoring S_ema, seconds.</summary>
    public const string RewardSeconds = "time/reward_s";

    /// <summary>Wall time of the optimizer step with its forward and backward passes, seconds.</summary>
    public const string LearnSeconds = "time/learn_s";

    /// <summary>Wall time of the teacher's update, seconds.</summary>
    public const string EmaSeconds = "time/ema_s";

    /// <summary>Wall time of persisting the step's events, seconds.</summary>
    public const string JournalSeconds = "time/journal_s";

    /// <summary>
    /// Wall time of the whole step, seconds. Where steps are sampled ahead it runs from the end of the step before, and the parts, which overlap,
    /// can add up to more.
    /// </summary>
    public const string StepSeconds = "time/step_s";

    /// <summary>Tokens processed per second of <see cref="StepSeconds"/>.</summary>
    public const string TokensPerSecond = "tokens_per_s";

    /// <summary>Accuracy with thinking on held-out problems, in [0, 1].</summary>
    public const string EvalThinkAccuracy = "eval/think_accuracy";

    /// <summary>Accuracy without thinking on held-out problems, in [0, 1].</summary>
    public const string EvalNothinkAccuracy = "eval/nothink_accuracy";

    /// <summary>Mean information gain on held-out problems, nats.</summary>
    public const string EvalInfoGain = "eval/info_gain";

    /// <summary>Mean thought length on held-out problems, tokens.</summary>
    public const string EvalThoughtLength = "eval/thought_length";
}
