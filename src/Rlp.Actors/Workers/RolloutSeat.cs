using Rlp.Actors.Hosting;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

internal sealed class RolloutSeat(NodeOptions options, NodeWeights weights) : EngineSeat(options, weights)
{
    private IRolloutEngine? engine;

    public override void Dispose()
    {
        engine?.Dispose();
        engine = null;
    }

    protected override void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines) => engine = engines.OpenRollout(context);

    protected override IEngineReply Call(IEngineRequest request, long started)
    {
        var open = engine ?? throw NotOpen(request);
        switch (request)
        {
            case SampleThoughts sample:
                var groups = open.Sample(sample.Step, sample.PolicyVersion, [.. sample.Positions.Select(WireFormat.Read)], WeightTickets.Read(sample.Policy));
                return new ThoughtsSampled
                {
                    RunId = request.RunId,
                    RequestId = request.RequestId,
                    Groups = [.. groups.Select(WireFormat.Write)],
                    Seconds = Since(started),
                };
            case EvaluatePolicy evaluate:
                var result = open.Evaluate(evaluate.Problems, WeightTickets.Read(evaluate.Policy));
                return new PolicyEvaluated
                {
                    RunId = request.RunId,
                    RequestId = request.RequestId,
                    Result = WireFormat.Write(result),
                    Seconds = Since(started),
                };
            default:
                throw Unknown(request);
        }
    }
}
