using ProtoBuf;
using Rlp.Protocol.Payloads;

namespace Rlp.Protocol.Commands;

/// <summary>
/// Creates a run whose past is that of another one up to a step, see <see cref="Runs.RunForks"/>. Its folder holds the checkpoints already.
/// Answered once all of it is journaled (RunAccepted), or with RunRefused; the run is left paused.
/// </summary>
[ProtoContract]
public sealed record ForkRun : IRunMessage
{
    [ProtoMember(1)] public string RunId { get; init; } = "";
    [ProtoMember(2)] public string FromRunId { get; init; } = "";
    [ProtoMember(3)] public string Stage { get; init; } = "";

    /// <summary>The last step of the stage that the new run takes over; 0 begins the stage anew.</summary>
    [ProtoMember(4)] public long Step { get; init; }
    [ProtoMember(5)] public string RecipeJson { get; init; } = "";
    [ProtoMember(6)] public string RecipeSha256 { get; init; } = "";
    [ProtoMember(7, IsRequired = true)] public RunPlan Plan { get; init; } = new();

    /// <summary>What lies in the new run's folder, by paths relative to it: the final ones of complete stages and that of the step.</summary>
    [ProtoMember(8)] public WireCheckpoint[] Checkpoints { get; init; } = [];
}
