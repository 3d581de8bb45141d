namespace Rlp.Consoles;

/// <summary>What a kept thought gained: S_pred - S_ema in nats.</summary>
public sealed record KeptGain(int Group, int Member, double Gain);

/// <summary>A kept group, decoded by the tokenizer of its run.</summary>
/// <param name="File">Where it is kept.</param>
/// <param name="PolicyVersion">Optimizer steps in the policy that thought.</param>
/// <param name="PrefixTokens">Length of <paramref name="Prefix"/> in tokens.</param>
/// <param name="TeacherEvidence">S_ema, in nats.</param>
/// <param name="ThoughtsSha256">Digest of the thoughts as they were read.</param>
public sealed record KeptGroup(
    string File,
    int Group,
    long PolicyVersion,
    string Prefix,
    int PrefixTokens,
    string NextToken,
    double TeacherEvidence,
    string ThoughtsSha256,
    IReadOnlyList<KeptThought> Thoughts);

/// <param name="Text">With the marker that ends it.</param>
/// <param name="Clipped">The length limit ended it.</param>
/// <param name="PredictedEvidence">S_pred, in nats.</param>
/// <param name="Gain">S_pred - S_ema, in nats.</param>
/// <param name="LogProbability">Of the whole thought under the policy that sampled it, in nats.</param>
public sealed record KeptThought(
    int Member, string Text, int Tokens, bool Clipped, double PredictedEvidence, double Gain, double LogProbability);
