using Akka.Actor;
using Rlp.Actors.Nodes;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;

namespace Rlp.Actors.Runs;

/// <summary>
/// One lane of a run: has its groups sampled and scored by the workers of the node it stands on, at the same time, and delivers them to the
/// run entity. Holds nothing that is not in its last command, so it may be lost and asked again anywhere.
/// </summary>
internal sealed class RolloutLaneActor : ReceiveActor
{
    private readonly ActorSelection rollout = Context.ActorSelection(NodeSupervisor.PathOf(Role.Rollout));
    private readonly ActorSelection reward = Context.ActorSelection(NodeSupervisor.PathOf(Role.Reward));
    private readonly IActorRef runs;
    private ExecuteLane? work;
    private ThoughtsSampled? sampled;
    private PositionsScored? scored;

    /// <summary>Random, so that an answer to this lane's predecessor is not taken for one to this lane.</summary>
    private long requestId = Random.Shared.NextInt64(long.MaxValue / 2);

    public RolloutLaneActor(IActorRef runs)
    {
        this.runs = runs;
        Receive<ExecuteLane>(Begin);
        Receive<ThoughtsSampled>(reply => reply.RequestId == requestId, reply =>
        {
            sampled = reply;
            Deliver();
        });
        Receive<PositionsScored>(reply => reply.RequestId == requestId, reply =>
        {
            scored = reply;
            Deliver();
        });
        Receive<EngineFailed>(reply => reply.RequestId == requestId && work is not null, Fail);
        Receive<IEngineReply>(_ => { }); // of work that was given up
    }

    private void Begin(ExecuteLane command)
    {
        // The same work asked for again keeps its request id: the workers know it and do it once.
        if (work is not { } open || (open.Stage, open.Step, open.PolicyVersion) != (command.Stage, command.Step, command.PolicyVersion))
        {
            requestId++;
            (sampled, scored) = (null, null);
        }
        work = command;
        if (sampled is null)
            rollout.Tell(new SampleThoughts { RunId = command.RunId, RequestId = requestId, Step = command.Step, Positions = command.Positions }, Self);
        if (scored is null)
            reward.Tell(new ScorePositions { RunId = command.RunId, RequestId = requestId, Step = command.Step, Positions = command.Positions }, Self);
    }

    private void Deliver()
    {
        if (work is not { } done || sampled is null || scored is null)
            return;
        var evidence = done.Positions.Select((p, i) => (p.Group, scored.TeacherEvidence[i])).ToDictionary();
        runs.Tell(new LaneCompleted
        {
            RunId = done.RunId,
            Stage = done.Stage,
            Step = done.Step,
            Lane = done.Lane,
            PolicyVersion = done.PolicyVersion,
            Groups = [.. sampled.Groups.Select(g => g with { TeacherEvidence = evidence[g.Position.Group] })],
            RolloutSeconds = sampled.Seconds,
            RewardSeconds = scored.Seconds,
        });
        End();
    }

    private void Fail(EngineFailed failure)
    {
        runs.Tell(new LaneFailed
        {
            RunId = work!.RunId,
            Stage = work.Stage,
            Step = work.Step,
            Lane = work.Lane,
            Attempt = work.Attempt,
            Role = failure.Role,
            Kind = failure.Kind,
            Message = failure.Message,
            EngineLost = failure.EngineLost,
        });
        End();
    }

    private void End()
    {
        (work, sampled, scored) = (null, null, null);
        requestId++;
    }
}
