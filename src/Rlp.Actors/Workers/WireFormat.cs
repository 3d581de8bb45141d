using Rlp.Corpora;
using Rlp.Protocol.Payloads;
using Rlp.Training.Engines;

namespace Rlp.Actors.Workers;

/// <summary>The engines' records as messages and back; token arrays are shared, not copied.</summary>
internal static class WireFormat
{
    public static DataCursor Read(WireCursor cursor) => new(cursor.Document, cursor.Offset);

    public static WireCursor Write(DataCursor cursor) => new() { Document = cursor.Document, Offset = cursor.Offset };

    public static GroupPosition Read(WirePosition position) => new(position.Group, position.Prefix, position.NextToken);

    public static WirePosition Write(GroupPosition position) => new() { Group = position.Group, Prefix = position.Prefix, NextToken = position.NextToken };

    public static ScoredGroup Read(WireGroup group) => new(
        new SampledGroup(
            Read(group.Position),
            [.. group.Thoughts.Select(t => new SampledThought(t.Tokens, t.LogProbabilities, t.Clipped, t.PredictedEvidence))])
        {
            PolicyVersion = group.PolicyVersion,
        },
        group.TeacherEvidence);

    public static WireGroup Write(SampledGroup group) => new()
    {
        Position = Write(group.Position),
        Thoughts = [.. group.Thoughts.Select(t => new WireThought
        {
            Tokens = t.Tokens,
            LogProbabilities = t.LogProbabilities,
            Clipped = t.Clipped,
            PredictedEvidence = t.PredictedEvidence,
        })],
        ThoughtsSha256 = group.ThoughtsSha256(),
        PolicyVersion = group.PolicyVersion,
    };

    public static CheckpointReference? Read(WireCheckpoint? checkpoint) =>
        checkpoint is null ? null : new CheckpointReference(checkpoint.Stage, checkpoint.Step, checkpoint.Path, checkpoint.Sha256);

    public static WireCheckpoint Write(CheckpointReference checkpoint) => new()
    {
        Stage = checkpoint.Stage,
        Step = checkpoint.Step,
        Path = checkpoint.Path,
        Sha256 = checkpoint.Sha256,
    };

    public static WireEvaluation Write(EvaluationResult result) => new()
    {
        ThinkAccuracy = result.ThinkAccuracy,
        ThinkAccuracyStandardError = result.ThinkAccuracyStandardError,
        NothinkAccuracy = result.NothinkAccuracy,
        NothinkAccuracyStandardError = result.NothinkAccuracyStandardError,
        PredictedEvidence = result.PredictedEvidence,
        NothinkEvidence = result.NothinkEvidence,
        ThoughtLength = result.ThoughtLength,
        Samples = [.. result.Samples.Select(s => new WireEvaluationSample
        {
            Prefix = s.Prefix,
            Thought = s.Thought,
            NextToken = s.NextToken,
            Answer = s.Answer,
            PredictedEvidence = s.PredictedEvidence,
            TeacherEvidence = s.TeacherEvidence,
        })],
    };
}
