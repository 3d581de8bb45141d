using Rlp.Corpora;
using Rlp.Training.Planning;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Training.Engines;

/// <summary>One position of a step: the group that will think about it, its prefix tokens x_&lt;t and the observed token x_t.</summary>
public sealed record GroupPosition(int Group, int[] Prefix, int NextToken);

/// <summary>The data of one step: documents for an NTP stage, positions for an RLP stage (the other list is empty).</summary>
public sealed record StepData(DataCursor From, DataCursor To, IReadOnlyList<int[]> Documents, IReadOnlyList<GroupPosition> Positions);

/// <summary>
/// One sampled thought c: its tokens (the end marker included, the begin marker not), the behaviour policy's log-probability of each at the
/// sampling temperature and under the sampling masks, whether the length limit cut it, and S_pred = log p(x_t | prefix, c) in nats.
/// </summary>
public sealed record SampledThought(int[] Tokens, float[] LogProbabilities, bool Clipped, double PredictedEvidence);

/// <summary>The G thoughts of one position.</summary>
public sealed record SampledGroup(GroupPosition Position, IReadOnlyList<SampledThought> Thoughts)
{
    /// <summary>Optimizer steps in the policy that sampled them.</summary>
    public long PolicyVersion { get; init; }

    /// <summary>Lower-case hexadecimal SHA-256 over the group id and, for each thought, its length, tokens and log-probability bits.</summary>
    public string ThoughtsSha256() => ThoughtDigest.Of(this);
}

/// <summary>A group with the teacher's evidence S_ema = log p_phi(x_t | prefix) in nats. Rewards are S_pred - S_ema (eq. 5).</summary>
public sealed record ScoredGroup(SampledGroup Sampled, double TeacherEvidence)
{
    public double[] Rewards() => [.. Sampled.Thoughts.Select(t => t.PredictedEvidence - TeacherEvidence)];
}

/// <summary>
/// What the learner made of a step. <see cref="Metrics"/> holds the logged values by their public names (TRL's where TRL has one, rlp/*
/// otherwise); wall-clock figures are not among them, so that two equal runs have equal records.
/// </summary>
public sealed record AppliedStep(
    long Step, long PolicyVersion, double Loss, double GradNorm, string ParametersSha256, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>Corpus tokens read by this step.</summary>
    public long InputTokens { get; init; }

    /// <summary>Floating-point operations of this step by <see cref="StageFlops"/>.</summary>
    public double Flops { get; init; }
}

/// <summary>
/// Result of one evaluation: accuracies with standard errors over problems, the mean evidence for the observed next token after a thought and
/// without one (nats, both of the evaluated policy), and the mean thought length (tokens, end marker included).
/// </summary>
public sealed record EvaluationResult(
    double ThinkAccuracy, double ThinkAccuracyStandardError, double NothinkAccuracy, double NothinkAccuracyStandardError,
    double PredictedEvidence, double NothinkEvidence, double ThoughtLength, IReadOnlyList<EvaluationSample> Samples)
{
    /// <summary>What the policy's own thoughts gain over its own prediction without one, in nats.</summary>
    public double InfoGain => PredictedEvidence - NothinkEvidence;
}

/// <summary>One problem's first sampled thought, as text, for reports.</summary>
public sealed record EvaluationSample(string Prefix, string Thought, string NextToken, string Answer, double PredictedEvidence, double TeacherEvidence);

/// <summary>A committed checkpoint folder and the SHA-256 of its manifest.</summary>
public sealed record CheckpointReference(string Stage, long Step, string Path, string Sha256);

/// <summary>What an engine needs to open a stage of a run on this node.</summary>
public sealed record StageContext(string RunId, Recipe Recipe, StageSettings Stage, string RunFolder, int Threads, NodeWeights Weights)
{
    /// <summary>The policy that a teacher starts from; null: the one published on this node.</summary>
    public WeightReference? Policy { get; init; }
}

/// <summary>
/// Opens the engines of a stage. Engines are synchronous and thread-bound: the thread that opens one makes every call on it and disposes it
/// (TorchSharp's dispose scopes, gradient mode and CUDA device are thread-local).
/// </summary>
public interface IEngineFactory
{
    /// <summary>What a node that runs the recipe needs, in the stage that needs most.</summary>
    /// <exception cref="ArgumentException">The recipe describes no network.</exception>
    /// <exception cref="Rlp.Models.ModelFormatException">The model folder that the recipe names cannot be used.</exception>
    StageMemory Memory(Recipe recipe);

    IDataEngine OpenData(StageContext context);

    /// <summary>Opens the stage's policy: from a checkpoint of this stage, else of <see cref="StageSettings.From"/>, else from the recipe's model folder, else from random weights.</summary>
    ILearnerEngine OpenLearner(StageContext context, CheckpointReference? checkpoint);

    /// <summary>Opened after the learner, whose weights it starts from where the checkpoint is not of this stage (phi &lt;- theta).</summary>
    ITeacherEngine OpenTeacher(StageContext context, CheckpointReference? checkpoint);

    /// <summary>Samples from policies that are published on this node, or elsewhere where a call says so; needs none before its first call.</summary>
    IRolloutEngine OpenRollout(StageContext context);

    /// <summary>Scores with teachers that are published on this node, or elsewhere where a call says so; needs none before its first call.</summary>
    IRewardEngine OpenReward(StageContext context);
}

public interface IDataEngine : IDisposable
{
    /// <summary>The data of the step that begins at the cursor; a pure function of the recipe, the stage and the cursor.</summary>
    StepData Load(DataCursor from);
}

public interface IRolloutEngine : IDisposable
{
    /// <summary>
    /// Samples G thoughts for each position from the behaviour policy and reads S_pred from the same state (steps 1, 3 and 6 of Algorithm 1):
    /// with a staleness too, S_pred is the prediction of the policy that thought.
    /// </summary>
    /// <param name="policyVersion">Optimizer steps in the behaviour policy, see <see cref="RlpSettings.BehaviourVersion"/>.</param>
    /// <param name="policy">Where that version is published; null: on this node.</param>
    IReadOnlyList<SampledGroup> Sample(long step, long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? policy = null);

    /// <summary>Accuracy with and without thinking on the first <paramref name="problems"/> held-out problems.</summary>
    /// <param name="policy">The policy to evaluate; null: the newest published on this node.</param>
    EvaluationResult Evaluate(int problems, WeightReference? policy = null);
}

public interface IRewardEngine : IDisposable
{
    /// <summary>S_ema of each position in nats (step 5 of Algorithm 1).</summary>
    /// <param name="policyVersion">Optimizer steps in the policy that the teacher followed: that of the behaviour policy.</param>
    /// <param name="teacher">Where that version is published; null: on this node.</param>
    double[] Score(long policyVersion, IReadOnlyList<GroupPosition> positions, WeightReference? teacher = null);
}

public interface ILearnerEngine : IDisposable
{
    /// <summary>Optimizer steps applied in this stage so far.</summary>
    long PolicyVersion { get; }

    /// <summary>One optimizer step of an RLP stage (steps 8 to 10 of Algorithm 1).</summary>
    AppliedStep ApplyRlp(long step, IReadOnlyList<ScoredGroup> groups);

    /// <summary>One optimizer step of an NTP stage.</summary>
    AppliedStep ApplyNtp(long step, IReadOnlyList<int[]> documents);

    /// <summary>Writes policy, optimizer and the older policies that later steps are sampled with into the folder that is being made.</summary>
    void WriteCheckpoint(string folder);

    /// <summary>Writes the manifest, flushes, and renames the folder to its final name, which it returns with the manifest's digest.</summary>
    CheckpointReference SealCheckpoint(string folder, long step, DataCursor cursor);
}

public interface ITeacherEngine : IDisposable
{
    /// <summary>phi &lt;- tau phi + (1 - tau) theta, after every optimizer step of an RLP stage (step 10 of Algorithm 1).</summary>
    /// <param name="policy">theta; null: the newest published on this node.</param>
    void Update(WeightReference? policy = null);

    /// <summary>Writes the teacher, and the older ones that later steps are scored with, into the checkpoint folder that is being made.</summary>
    void WriteCheckpoint(string folder);
}
