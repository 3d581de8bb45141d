using Rlp.Actors.Hosting;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

internal sealed class RewardSeat(NodeOptions options, NodeWeights weights) : EngineSeat(options, weights)
{
    private IRewardEngine? engine;

    public override void Dispose()
    {
        engine?.Dispose();
        engine = null;
    }

    protected override void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines) => engine = engines.OpenReward(context);

    protected override IEngineReply Call(IEngineRequest request, long started)
    {
        if (request is not ScorePositions score)
            throw Unknown(request);
        var open = engine ?? throw NotOpen(request);
        var evidence = open.Score(score.PolicyVersion, [.. score.Positions.Select(WireFormat.Read)], WeightTickets.Read(score.Teacher));
        return new PositionsScored { RunId = request.RunId, RequestId = request.RequestId, TeacherEvidence = evidence, Seconds = Since(started) };
    }
}
