using Rlp.Actors.Hosting;
using Rlp.Actors.Nodes;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

/// <summary>The learner. A step asked for twice (its answer was late) is learned once: the second answer is the first one.</summary>
internal sealed class LearnerSeat(NodeOptions options, NodeWeights weights) : EngineSeat(options, weights)
{
    private ILearnerEngine? engine;
    private StepLearned? last;

    protected override string? Publishes => WeightNames.Policy;

    public override void Dispose()
    {
        engine?.Dispose();
        engine = null;
        last = null;
    }

    protected override long Step => engine?.PolicyVersion ?? 0;

    protected override StepLearned? Learned => last;

    protected override void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines) =>
        engine = engines.OpenLearner(context, checkpoint);

    protected override IEngineReply Call(IEngineRequest request, long started)
    {
        var open = engine ?? throw NotOpen(request);
        switch (request)
        {
            case ApplyNtpStep step:
                return Learn(request, open, step.Step, () => open.ApplyNtp(step.Step, [.. step.Documents.Select(d => d.Tokens)]), started);
            case ApplyRlpStep step:
                return Learn(request, open, step.Step, () => open.ApplyRlp(step.Step, [.. step.Groups.Select(WireFormat.Read)]), started);
            case WriteCheckpoint write:
                BeginFolder(write.Folder);
                open.WriteCheckpoint(write.Folder);
                return Done(request, started);
            case SealCheckpoint seal:
                FailPoint.Reach(FailPoint.CheckpointWritten, StageId, seal.Step);
                var sealedCheckpoint = open.SealCheckpoint(seal.Folder, seal.Step, WireFormat.Read(seal.Cursor));
                FailPoint.Reach(FailPoint.CheckpointSealed, StageId, seal.Step);
                return new CheckpointSealed
                {
                    RunId = request.RunId,
                    RequestId = request.RequestId,
                    Checkpoint = WireFormat.Write(sealedCheckpoint),
                    Seconds = Since(started),
                };
            default:
                throw Unknown(request);
        }
    }

    private StepLearned Learn(IEngineRequest request, ILearnerEngine open, long step, Func<AppliedStep> apply, long started)
    {
        if (last?.Step != step)
        {
            if (open.PolicyVersion != step - 1)
                throw new InvalidOperationException($"step {step} of run '{request.RunId}' follows policy {step - 1}, but the learner holds policy {open.PolicyVersion}");
            var applied = apply();
            FailPoint.Reach(FailPoint.LearnerApplied, StageId, step);
            last = new StepLearned
            {
                RunId = request.RunId,
                Step = applied.Step,
                PolicyVersion = applied.PolicyVersion,
                Loss = applied.Loss,
                GradNorm = applied.GradNorm,
                ParametersSha256 = applied.ParametersSha256,
                Metrics = new Dictionary<string, double>(applied.Metrics),
                InputTokens = applied.InputTokens,
                Flops = applied.Flops,
            };
        }
        return last with { RequestId = request.RequestId, Seconds = Since(started) };
    }

    /// <summary>What is left of an earlier attempt goes.</summary>
    private static void BeginFolder(string folder)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
    }
}
