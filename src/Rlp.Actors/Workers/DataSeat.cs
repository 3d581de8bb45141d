using Rlp.Actors.Hosting;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

internal sealed class DataSeat(NodeOptions options, NodeWeights weights) : EngineSeat(options, weights)
{
    private IDataEngine? engine;

    public override void Dispose()
    {
        engine?.Dispose();
        engine = null;
    }

    protected override void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines) => engine = engines.OpenData(context);

    protected override IEngineReply Call(IEngineRequest request, long started)
    {
        if (request is not LoadData load)
            throw Unknown(request);
        var data = (engine ?? throw NotOpen(request)).Load(WireFormat.Read(load.From));
        return new DataLoaded
        {
            RunId = request.RunId,
            RequestId = request.RequestId,
            From = load.From,
            To = WireFormat.Write(data.To),
            Documents = [.. data.Documents.Select(tokens => new WireDocument { Tokens = tokens })],
            Positions = [.. data.Positions.Select(WireFormat.Write)],
            Seconds = Since(started),
        };
    }
}
