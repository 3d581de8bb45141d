using Rlp.Protocol.Commands;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;

namespace Rlp.Protocol.Parts;

/// <summary>How large the messages that hold a step's tokens may be when written, in bytes, without writing them.</summary>
public static class MessageSize
{
    /// <summary>A token id below 2^28 takes up to four bytes.</summary>
    private const int TokenBytes = 4;

    /// <summary>What a thought, position or document takes besides its tokens is less, and so are the scalars of a message.</summary>
    private const int Overhead = 128;

    /// <summary>At least what the tokens and figures of the message take; 0 for a message that holds none.</summary>
    public static long AtMost(IRlpMessage message) => message switch
    {
        ApplyNtpStep step => step.Documents.Sum(Of),
        ApplyRlpStep step => step.Groups.Sum(Of),
        DataLoaded data => data.Documents.Sum(Of) + data.Positions.Sum(Of),
        ExecuteLane lane => lane.RecipeJson.Length * 3L + lane.Positions.Sum(Of),
        LaneCompleted lane => lane.Groups.Sum(Of),
        SampleThoughts sample => sample.Positions.Sum(Of),
        ThoughtsSampled sampled => sampled.Groups.Sum(Of),
        ScorePositions score => score.Positions.Sum(Of),
        PositionsScored scored => Overhead + (long)scored.TeacherEvidence.Length * sizeof(double),
        _ => 0,
    };

    private static long Of(WireDocument document) => Overhead + (long)document.Tokens.Length * TokenBytes;

    private static long Of(WirePosition position) => Overhead + (long)position.Prefix.Length * TokenBytes;

    private static long Of(WireThought thought) =>
        Overhead + (long)thought.Tokens.Length * TokenBytes + (long)thought.LogProbabilities.Length * sizeof(float);

    private static long Of(WireGroup group) => Overhead + Of(group.Position) + group.Thoughts.Sum(Of);
}
