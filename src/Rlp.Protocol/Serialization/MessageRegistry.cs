using System.Collections.Frozen;
using ProtoBuf;
using ProtoBuf.Meta;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Events;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Protocol.Serialization;

/// <summary>
/// The messages that may be written and read, by their manifests. Nothing else is ever deserialized. A manifest is a name and a version; it
/// is stored in the journal and never reused for another shape.
/// </summary>
public static class MessageRegistry
{
    /// <summary>The registered types with their manifests, in the order of this file.</summary>
    public static IReadOnlyList<(string Manifest, Type Type)> Messages { get; } =
    [
        ("run-created/1", typeof(RunCreated)),
        ("stage-started/1", typeof(StageStarted)),
        ("step-planned/1", typeof(StepPlanned)),
        ("groups-accepted/1", typeof(GroupsAccepted)),
        ("step-applied/1", typeof(StepApplied)),
        ("replay-diverged/1", typeof(ReplayDiverged)),
        ("checkpoint-committed/1", typeof(CheckpointCommitted)),
        ("stage-evaluated/1", typeof(StageEvaluated)),
        ("stage-completed/1", typeof(StageCompleted)),
        ("run-paused/1", typeof(RunPaused)),
        ("run-resumed/1", typeof(RunResumed)),
        ("run-completed/1", typeof(RunCompleted)),
        ("run-failed/1", typeof(RunFailed)),

        ("start-run/1", typeof(StartRun)),
        ("continue-run/1", typeof(ContinueRun)),
        ("stop-run/1", typeof(StopRun)),
        ("subscribe-progress/1", typeof(SubscribeProgress)),
        ("execute-lane/1", typeof(ExecuteLane)),
        ("lane-completed/1", typeof(LaneCompleted)),
        ("lane-failed/1", typeof(LaneFailed)),
        ("acquire-lease/1", typeof(AcquireLease)),
        ("release-lease/1", typeof(ReleaseLease)),
        ("cancel-work/1", typeof(CancelWork)),
        ("drain-worker/1", typeof(DrainWorker)),

        ("open-engine/1", typeof(OpenEngine)),
        ("close-engine/1", typeof(CloseEngine)),
        ("load-data/1", typeof(LoadData)),
        ("sample-thoughts/1", typeof(SampleThoughts)),
        ("evaluate-policy/1", typeof(EvaluatePolicy)),
        ("score-positions/1", typeof(ScorePositions)),
        ("apply-ntp-step/1", typeof(ApplyNtpStep)),
        ("apply-rlp-step/1", typeof(ApplyRlpStep)),
        ("update-teacher/1", typeof(UpdateTeacher)),
        ("write-checkpoint/1", typeof(WriteCheckpoint)),
        ("seal-checkpoint/1", typeof(SealCheckpoint)),

        ("engine-done/1", typeof(EngineDone)),
        ("engine-failed/1", typeof(EngineFailed)),
        ("data-loaded/1", typeof(DataLoaded)),
        ("thoughts-sampled/1", typeof(ThoughtsSampled)),
        ("positions-scored/1", typeof(PositionsScored)),
        ("policy-evaluated/1", typeof(PolicyEvaluated)),
        ("step-learned/1", typeof(StepLearned)),
        ("checkpoint-sealed/1", typeof(CheckpointSealed)),

        ("run-accepted/1", typeof(RunAccepted)),
        ("run-refused/1", typeof(RunRefused)),
        ("run-stopped/1", typeof(RunStopped)),
        ("run-report/1", typeof(RunReport)),
        ("run-list/1", typeof(RunList)),
        ("lease-granted/1", typeof(LeaseGranted)),
        ("lease-refused/1", typeof(LeaseRefused)),
        ("worker-status/1", typeof(WorkerStatus)),
        ("worker-drained/1", typeof(WorkerDrained)),
        ("node-status/1", typeof(NodeStatus)),
        ("stage-opened/1", typeof(StageOpened)),
        ("step-progress/1", typeof(StepProgress)),
        ("checkpoint-progress/1", typeof(CheckpointProgress)),
        ("evaluation-progress/1", typeof(EvaluationProgress)),
        ("stage-progress/1", typeof(StageProgress)),
        ("run-notice/1", typeof(RunNotice)),
        ("run-ended/1", typeof(RunEnded)),

        ("get-run/1", typeof(GetRun)),
        ("get-worker-status/1", typeof(GetWorkerStatus)),
        ("get-node-status/1", typeof(GetNodeStatus)),
        ("list-runs/1", typeof(ListRuns)),

        ("run-cancelled/1", typeof(RunCancelled)),
        ("node-lost/1", typeof(NodeLost)),
        ("node-joined/1", typeof(NodeJoined)),
        ("run-recovered/1", typeof(RunRecovered)),
        ("describe-engine/1", typeof(DescribeEngine)),
        ("engine-described/1", typeof(EngineDescribed)),
        ("lane-started/1", typeof(LaneStarted)),
        ("lease-revoked/1", typeof(LeaseRevoked)),
        ("drain-node/1", typeof(DrainNode)),
        ("node-drained/1", typeof(NodeDrained)),
        ("run-snapshot/1", typeof(RunSnapshot)),
        ("snapshot-state/1", typeof(SnapshotState)),
        ("fork-run/1", typeof(ForkRun)),
        ("message-part/1", typeof(MessagePart)),
        ("part-taken/1", typeof(PartTaken)),
        ("restart-worker/1", typeof(RestartWorker)),
        ("reassign-lane/1", typeof(ReassignLane)),
        ("lane-reassigned/1", typeof(LaneReassigned)),
    ];

    private static readonly FrozenDictionary<string, Type> Types = Messages.ToFrozenDictionary(m => m.Manifest, m => m.Type);

    private static readonly FrozenDictionary<Type, string> Manifests = Messages.ToFrozenDictionary(m => m.Type, m => m.Manifest);

    private static readonly RuntimeTypeModel Model = CreateModel();

    /// <exception cref="ArgumentException">The type is not registered.</exception>
    public static string ManifestOf(Type type) => Manifests.TryGetValue(type, out var manifest)
        ? manifest
        : throw new ArgumentException($"{type.FullName} is not a registered message; add it to {nameof(MessageRegistry)}", nameof(type));

    /// <exception cref="ArgumentException">The type is not registered.</exception>
    public static byte[] Serialize(object message)
    {
        _ = ManifestOf(message.GetType());
        using var stream = new MemoryStream();
        Model.Serialize(stream, message);
        return stream.ToArray();
    }

    /// <exception cref="ArgumentException">No message has that manifest.</exception>
    /// <exception cref="InvalidDataException">The bytes are not a message of that type.</exception>
    public static IRlpMessage Deserialize(string manifest, ReadOnlyMemory<byte> bytes)
    {
        if (!Types.TryGetValue(manifest, out var type))
            throw new ArgumentException($"'{manifest}' is not the manifest of a registered message", nameof(manifest));
        try
        {
            return (IRlpMessage)Model.Deserialize(bytes, type: type);
        }
        catch (Exception e) when (e is ProtoException or EndOfStreamException or OverflowException or InvalidOperationException)
        {
            throw new InvalidDataException($"{bytes.Length} bytes are not a message '{manifest}': {e.Message}", e);
        }
    }

    /// <summary>The .proto schema of every registered message: what rlp.proto holds.</summary>
    public static string Schema()
    {
        var options = new SchemaGenerationOptions { Syntax = ProtoSyntax.Proto3, Package = "rlp" };
        options.Types.AddRange(Messages.Select(m => m.Type));
        return Model.GetSchema(options).ReplaceLineEndings("\n");
    }

    private static RuntimeTypeModel CreateModel()
    {
        var model = RuntimeTypeModel.Create("rlp");
        foreach (var (_, type) in Messages)
            model.Add(type, applyDefaultBehaviour: true);
        return model;
    }
}
