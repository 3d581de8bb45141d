using ProtoBuf;

namespace Rlp.Protocol.Payloads;

// protobuf omits empty arrays and zero scalars: every member's default is what its absence on the wire means. It takes -0 for zero, so a
// figure whose bits a replay must reproduce is required: written always.

/// <summary>Where a stage's data stands.</summary>
[ProtoContract]
public sealed record WireCursor
{
    [ProtoMember(1)] public long Document { get; init; }
    [ProtoMember(2)] public int Offset { get; init; }
}

/// <summary>One document of an NTP step.</summary>
[ProtoContract]
public sealed record WireDocument
{
    [ProtoMember(1, IsPacked = true)] public int[] Tokens { get; init; } = [];
}

/// <summary>One position of an RLP step: prefix x_&lt;t and the observed token x_t.</summary>
[ProtoContract]
public sealed record WirePosition
{
    [ProtoMember(1)] public int Group { get; init; }
    [ProtoMember(2, IsPacked = true)] public int[] Prefix { get; init; } = [];
    [ProtoMember(3)] public int NextToken { get; init; }
}

/// <summary>One sampled thought with its log-probabilities and S_pred in nats.</summary>
[ProtoContract]
public sealed record WireThought
{
    [ProtoMember(1, IsPacked = true)] public int[] Tokens { get; init; } = [];
    [ProtoMember(2, IsPacked = true)] public float[] LogProbabilities { get; init; } = [];
    [ProtoMember(3)] public bool Clipped { get; init; }
    [ProtoMember(4, IsRequired = true)] public double PredictedEvidence { get; init; }
}

/// <summary>The G thoughts of one position; <see cref="TeacherEvidence"/> (S_ema, nats) is set once the group is scored.</summary>
[ProtoContract]
public sealed record WireGroup
{
    [ProtoMember(1, IsRequired = true)] public WirePosition Position { get; init; } = new();
    [ProtoMember(2)] public WireThought[] Thoughts { get; init; } = [];
    [ProtoMember(3, IsRequired = true)] public double TeacherEvidence { get; init; }
    [ProtoMember(4)] public string ThoughtsSha256 { get; init; } = "";

    /// <summary>Optimizer steps in the policy that sampled the thoughts.</summary>
    [ProtoMember(5)] public long PolicyVersion { get; init; }
}

/// <summary>A committed checkpoint folder and the SHA-256 of its manifest.</summary>
[ProtoContract]
public sealed record WireCheckpoint
{
    [ProtoMember(1)] public string Stage { get; init; } = "";
    [ProtoMember(2)] public long Step { get; init; }
    [ProtoMember(3)] public string Path { get; init; } = "";
    [ProtoMember(4)] public string Sha256 { get; init; } = "";
}

/// <summary>One problem's first sampled thought, as text.</summary>
[ProtoContract]
public sealed record WireEvaluationSample
{
    [ProtoMember(1)] public string Prefix { get; init; } = "";
    [ProtoMember(2)] public string Thought { get; init; } = "";
    [ProtoMember(3)] public string NextToken { get; init; } = "";
    [ProtoMember(4)] public string Answer { get; init; } = "";
    [ProtoMember(5)] public double PredictedEvidence { get; init; }
    [ProtoMember(6)] public double TeacherEvidence { get; init; }
}

/// <summary>
/// Accuracies are means over problems with standard errors over problems; evidence is the mean log-probability of the observed next token in
/// nats, after a thought and without one; thought length in tokens.
/// </summary>
[ProtoContract]
public sealed record WireEvaluation
{
    [ProtoMember(1)] public double ThinkAccuracy { get; init; }
    [ProtoMember(2)] public double ThinkAccuracyStandardError { get; init; }
    [ProtoMember(3)] public double NothinkAccuracy { get; init; }
    [ProtoMember(4)] public double NothinkAccuracyStandardError { get; init; }
    [ProtoMember(5)] public double PredictedEvidence { get; init; }
    [ProtoMember(6)] public double NothinkEvidence { get; init; }
    [ProtoMember(7)] public double ThoughtLength { get; init; }
    [ProtoMember(8)] public WireEvaluationSample[] Samples { get; init; } = [];
}

/// <summary>What decides a run's bits besides its recipe and seed.</summary>
[ProtoContract]
public sealed record RunEnvironment
{
    [ProtoMember(1)] public string MachineKind { get; init; } = "";
    [ProtoMember(2)] public int Threads { get; init; }
    [ProtoMember(3)] public Dictionary<string, string> Versions { get; init; } = [];
}

/// <summary>The groups (by id) that one lane of a step samples and scores.</summary>
[ProtoContract]
public sealed record LanePlan
{
    [ProtoMember(1)] public int Lane { get; init; }
    [ProtoMember(2, IsPacked = true)] public int[] Groups { get; init; } = [];
}

/// <summary>One accepted group as the journal holds it: digests and evidence, never tokens.</summary>
[ProtoContract]
public sealed record AcceptedGroup
{
    [ProtoMember(1)] public int Group { get; init; }
    [ProtoMember(2)] public string ThoughtsSha256 { get; init; } = "";

    /// <summary>S_pred of each thought, in nats.</summary>
    [ProtoMember(3, IsPacked = true)] public double[] PredictedEvidence { get; init; } = [];

    /// <summary>S_ema, in nats.</summary>
    [ProtoMember(4, IsRequired = true)] public double TeacherEvidence { get; init; }

    /// <summary>S_pred - S_ema of each thought (eq. 5), in nats.</summary>
    [ProtoMember(5, IsPacked = true)] public double[] Rewards { get; init; } = [];
}

/// <summary>What the run entity must know of a recipe's stage in order to decide what is next.</summary>
[ProtoContract]
public sealed record StagePlan
{
    [ProtoMember(1)] public string Id { get; init; } = "";

    /// <summary>True for a stage of Algorithm 1, false for next-token prediction.</summary>
    [ProtoMember(2)] public bool Rlp { get; init; }

    /// <summary>The stage whose final checkpoint this one starts from; empty starts from random weights.</summary>
    [ProtoMember(3)] public string From { get; init; } = "";
    [ProtoMember(4)] public long Steps { get; init; }
    [ProtoMember(5)] public int Lanes { get; init; }
    [ProtoMember(6)] public long CheckpointEvery { get; init; }

    /// <summary>Steps between evaluations inside the stage; 0 never evaluates.</summary>
    [ProtoMember(7)] public long EvaluateEvery { get; init; }
    [ProtoMember(8)] public int EvaluateProblems { get; init; }

    /// <summary>Steps whose thoughts may be sampled ahead of the step in work; 0 is on-policy.</summary>
    [ProtoMember(9)] public int Staleness { get; init; }

    /// <summary>Optimizer steps in the policy that samples a step's thoughts: a function of the step, never of what happens to be ready.</summary>
    public long BehaviourVersion(long step) => Math.Max(0, step - 1 - Staleness);
}

/// <summary>One row of the final comparison: the name it is shown under and the stage whose final weights it measures.</summary>
[ProtoContract]
public sealed record ComparedStage
{
    [ProtoMember(1)] public string Name { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
}

/// <summary>A run's stages in order and its final comparison.</summary>
[ProtoContract]
public sealed record RunPlan
{
    [ProtoMember(1)] public StagePlan[] Stages { get; init; } = [];

    /// <summary>Empty where the recipe compares nothing.</summary>
    [ProtoMember(2)] public ComparedStage[] Compared { get; init; } = [];
    [ProtoMember(3)] public int CompareProblems { get; init; }
}

/// <summary>
/// Where the weights of one version lie and what they are: what a message carries instead of them. Who reads them on the publisher's node takes
/// them by handle, who reads them elsewhere fetches <see cref="Url"/> once and checks what came.
/// </summary>
[ProtoContract]
public sealed record WeightTicket
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>policy or teacher.</summary>
    [ProtoMember(2)] public string Name { get; init; } = "";

    /// <summary>Optimizer steps in the policy, or in the one that the teacher followed.</summary>
    [ProtoMember(3)] public long Version { get; init; }
    [ProtoMember(4)] public string Url { get; init; } = "";

    /// <summary>Lower-case hexadecimal SHA-256 of the bytes behind <see cref="Url"/>; two tickets with the same one stand for the same weights.</summary>
    [ProtoMember(5)] public string Sha256 { get; init; } = "";

    /// <summary>Length of what is behind <see cref="Url"/>.</summary>
    [ProtoMember(6)] public long Bytes { get; init; }

    /// <summary>Address of the publisher's node, for messages to people.</summary>
    [ProtoMember(7)] public string Publisher { get; init; } = "";

    /// <summary>
    /// Where the network computes in bfloat16: SHA-256 of the float32 weights behind it, which a teacher on another node follows. Empty where
    /// the published weights are themselves float32.
    /// </summary>
    [ProtoMember(8)] public string MasterSha256 { get; init; } = "";
}

public enum FailureKind
{
    /// <summary>Not failed, or a failure of no known kind.</summary>
    None,

    /// <summary>The recipe or the node's settings are at fault.</summary>
    Configuration,

    /// <summary>A document, a group or a file is at fault: the same work fails on any machine.</summary>
    Data,

    /// <summary>A machine, a process, a disk or the database is at fault.</summary>
    Infrastructure,
}
