using ProtoBuf;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Events;

/// <summary>What the journal holds. Events live for years: members are only ever added, tags are never reused.</summary>
public interface IRunEvent : IRunMessage;

[ProtoContract]
public sealed record RunCreated : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string RecipeJson { get; init; } = "";
    [ProtoMember(3)] public string RecipeSha256 { get; init; } = "";
    [ProtoMember(4)] public long Seed { get; init; }
    [ProtoMember(5)] public long CreatedUnixMilliseconds { get; init; }
    [ProtoMember(6, IsRequired = true)] public RunEnvironment Environment { get; init; } = new();
    [ProtoMember(7, IsRequired = true)] public RunPlan Plan { get; init; } = new();

    /// <summary>Where the run was forked from; null where it began as one of its own.</summary>
    [ProtoMember(8)] public RunLineage? Lineage { get; init; }
}

[ProtoContract]
public sealed record StageStarted : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";

    /// <summary>The final checkpoint of the stage it starts from; null starts from random weights.</summary>
    [ProtoMember(3)] public WireCheckpoint? From { get; init; }
}

[ProtoContract]
public sealed record StepPlanned : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";

    /// <summary>1 for the first step of the stage.</summary>
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4, IsRequired = true)] public WireCursor CursorFrom { get; init; } = new();
    [ProtoMember(5, IsRequired = true)] public WireCursor CursorTo { get; init; } = new();

    /// <summary>Empty for a step of next-token prediction.</summary>
    [ProtoMember(6)] public LanePlan[] Lanes { get; init; } = [];

    /// <summary>
    /// Optimizer steps in the policy that samples, and in the teacher that scores: <see cref="Step"/> - 1 on-policy, see
    /// <see cref="StagePlan.BehaviourVersion"/>.
    /// </summary>
    [ProtoMember(7)] public long PolicyVersion { get; init; }
}

/// <summary>The groups of one lane delivery: one event, so that one transaction journals them all.</summary>
[ProtoContract]
public sealed record GroupsAccepted : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public int Lane { get; init; }
    [ProtoMember(5)] public AcceptedGroup[] Groups { get; init; } = [];
}

[ProtoContract]
public sealed record StepApplied : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>Optimizer steps in the policy after this one.</summary>
    [ProtoMember(4)] public long PolicyVersion { get; init; }
    [ProtoMember(5, IsRequired = true)] public double Loss { get; init; }
    [ProtoMember(6, IsRequired = true)] public double GradNorm { get; init; }

    /// <summary>Mean information gain in nats; null for next-token prediction.</summary>
    [ProtoMember(7)] public double? RewardMean { get; init; }
    [ProtoMember(8)] public string ParametersSha256 { get; init; } = "";

    /// <summary>Null for next-token prediction.</summary>
    [ProtoMember(9)] public string? ThoughtsSha256 { get; init; }
    [ProtoMember(10)] public Dictionary<string, double> Metrics { get; init; } = [];

    /// <summary>Tokens of the corpus that the step read: whole documents, or prefixes with their observed token.</summary>
    [ProtoMember(11)] public long InputTokens { get; init; }

    /// <summary>Wall-clock seconds of the step; no part of what a replay must reproduce.</summary>
    [ProtoMember(12)] public double Seconds { get; init; }

    /// <summary>Floating-point operations of the step.</summary>
    [ProtoMember(13)] public double Flops { get; init; }

    /// <summary>When it was journaled.</summary>
    [ProtoMember(14)] public long AtUnixMilliseconds { get; init; }
}

/// <summary>A re-executed step did not reproduce the journal.</summary>
[ProtoContract]
public sealed record ReplayDiverged : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>parameters_sha256, thoughts_sha256, loss, reward_mean, cursor, or the group whose digest differs.</summary>
    [ProtoMember(4)] public string What { get; init; } = "";
    [ProtoMember(5)] public string Expected { get; init; } = "";
    [ProtoMember(6)] public string Found { get; init; } = "";
}

[ProtoContract]
public sealed record CheckpointCommitted : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }
    [ProtoMember(4)] public string Path { get; init; } = "";

    /// <summary>SHA-256 of the checkpoint's manifest.</summary>
    [ProtoMember(5)] public string Sha256 { get; init; } = "";
}

[ProtoContract]
public sealed record StageEvaluated : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>The stage, or the name of the row ("base", "rlp") in the final comparison.</summary>
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>True for the final comparison, false for an evaluation inside a stage.</summary>
    [ProtoMember(4)] public bool Compared { get; init; }
    [ProtoMember(5, IsRequired = true)] public WireEvaluation Result { get; init; } = new();
}

[ProtoContract]
public sealed record StageCompleted : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";

    /// <summary>Sum of the stage's step times; steps repeated after a crash count once.</summary>
    [ProtoMember(3)] public double Seconds { get; init; }
}

[ProtoContract]
public sealed record RunPaused : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Reason { get; init; } = "";
}

/// <summary>Somebody ended the run for good.</summary>
[ProtoContract]
public sealed record RunCancelled : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Reason { get; init; } = "";
}

[ProtoContract]
public sealed record RunResumed : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";

    /// <summary>paused, failed, or interrupted (the process ended without saying so).</summary>
    [ProtoMember(2)] public string After { get; init; } = "";
    [ProtoMember(3)] public long AtUnixMilliseconds { get; init; }
    [ProtoMember(4, IsRequired = true)] public RunEnvironment Environment { get; init; } = new();
}

/// <summary>A node is gone that had engines or lanes of the run.</summary>
[ProtoContract]
public sealed record NodeLost : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Node { get; init; } = "";

    /// <summary>What it had: learner, ema, data, rollout, reward, lane.</summary>
    [ProtoMember(3)] public string[] Roles { get; init; } = [];
    [ProtoMember(4)] public long AtUnixMilliseconds { get; init; }

    /// <summary>Seconds since its last answer to this run.</summary>
    [ProtoMember(5)] public double SilentSeconds { get; init; }
}

/// <summary>A node that may work for the run has joined the cluster.</summary>
[ProtoContract]
public sealed record NodeJoined : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Node { get; init; } = "";
    [ProtoMember(3)] public string[] Roles { get; init; } = [];
    [ProtoMember(4)] public long AtUnixMilliseconds { get; init; }
}

/// <summary>The first newly applied step after a loss.</summary>
[ProtoContract]
public sealed record RunRecovered : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string Stage { get; init; } = "";
    [ProtoMember(3)] public long Step { get; init; }

    /// <summary>What was lost, for people.</summary>
    [ProtoMember(4)] public string Cause { get; init; } = "";

    /// <summary>From the last sign of life to the loss being known.</summary>
    [ProtoMember(5)] public double DetectionSeconds { get; init; }

    /// <summary>From then to this step being applied.</summary>
    [ProtoMember(6)] public double RecoverySeconds { get; init; }

    /// <summary>Steps that the journal held and that were executed again.</summary>
    [ProtoMember(7)] public long RedoneSteps { get; init; }

    /// <summary>Lanes whose work was sent again.</summary>
    [ProtoMember(8)] public long RepeatedLanes { get; init; }

    /// <summary>Groups that arrived a second time and were dropped.</summary>
    [ProtoMember(9)] public long DuplicateGroups { get; init; }
}

[ProtoContract]
public sealed record RunCompleted : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
}

[ProtoContract]
public sealed record RunFailed : IRunEvent
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public FailureKind Kind { get; init; }
    [ProtoMember(3)] public string Message { get; init; } = "";
}
