using Rlp.Actors.Hosting;
using Rlp.Actors.Nodes;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Training.Engines;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

/// <summary>The teacher's master copy. A step's update asked for twice is made once.</summary>
internal sealed class EmaSeat(NodeOptions options, NodeWeights weights) : EngineSeat(options, weights)
{
    private ITeacherEngine? engine;
    private long updated;

    protected override string? Publishes => WeightNames.Teacher;

    public override void Dispose()
    {
        engine?.Dispose();
        engine = null;
        updated = 0;
    }

    protected override long Step => updated;

    protected override void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines)
    {
        engine = engines.OpenTeacher(context, checkpoint);
        updated = checkpoint?.Stage == context.Stage.Id ? checkpoint.Step : 0;
    }

    protected override IEngineReply Call(IEngineRequest request, long started)
    {
        var open = engine ?? throw NotOpen(request);
        switch (request)
        {
            case UpdateTeacher update:
                if (updated != update.Step)
                    open.Update(WeightTickets.Read(update.Policy));
                updated = update.Step;
                FailPoint.Reach(FailPoint.TeacherUpdated, StageId, update.Step);
                return Done(request, started);
            case WriteCheckpoint write:
                open.WriteCheckpoint(write.Folder);
                return Done(request, started);
            default:
                throw Unknown(request);
        }
    }
}
