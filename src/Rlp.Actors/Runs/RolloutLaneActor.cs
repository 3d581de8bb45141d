using Akka.Actor;
using Rlp.Actors.Nodes;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Runs;

/// <summary>
/// One lane of a run: has its groups of a step sampled and scored by the workers of the node it stands on, at the same time, and delivers them
/// to the run entity. With a staleness it may have several steps at work. Holds nothing that is not in a command, so it may be lost and asked
/// again anywhere.
/// </summary>
internal sealed class RolloutLaneActor : ReceiveActor
{
    /// <summary>One step's groups at work, under the request id that the workers know them by.</summary>
    private sealed class Work(long requestId, ExecuteLane command)
    {
        public long RequestId { get; } = requestId;
        public ExecuteLane Command { get; set; } = command;
        public ThoughtsSampled? Sampled { get; set; }
        public PositionsScored? Scored { get; set; }
    }

    private readonly ActorSelection rollout = Context.ActorSelection(NodeSupervisor.PathOf(Role.Rollout));
    private readonly ActorSelection reward = Context.ActorSelection(NodeSupervisor.PathOf(Role.Reward));
    private readonly IActorRef runs;
    private readonly List<Work> works = [];

    /// <summary>Random, so that an answer to this lane's predecessor is not taken for one to this lane.</summary>
    private long lastRequestId = Random.Shared.NextInt64(long.MaxValue / 2);

    public RolloutLaneActor(IActorRef runs)
    {
        this.runs = runs;
        Receive<ExecuteLane>(Begin);
        Receive<IEngineReply>(reply =>
        {
            if (works.Find(w => w.RequestId == reply.RequestId) is not { } work)
                return; // of work that was given up
            switch (reply)
            {
                case ThoughtsSampled sampled:
                    work.Sampled = sampled;
                    break;
                case PositionsScored scored:
                    work.Scored = scored;
                    break;
                case EngineFailed failure:
                    Fail(work, failure);
                    return;
            }
            if (work is { Sampled: not null, Scored: not null })
                Deliver(work, work.Sampled, work.Scored);
        });
    }

    private void Begin(ExecuteLane command)
    {
        // What no run could still be waiting for: of another stage, or further away than any staleness.
        works.RemoveAll(w => w.Command.Stage != command.Stage || Math.Abs(w.Command.Step - command.Step) > RlpSettings.MaximumStaleness);
        // The same work asked for again keeps its request id: the workers know it and do it once.
        var work = works.Find(w => (w.Command.Step, w.Command.PolicyVersion) == (command.Step, command.PolicyVersion));
        if (work is null)
            works.Add(work = new Work(++lastRequestId, command));
        work.Command = command;
        if (work.Sampled is null)
        {
            rollout.Tell(
                new SampleThoughts
                {
                    RunId = command.RunId,
                    RequestId = work.RequestId,
                    Step = command.Step,
                    PolicyVersion = command.PolicyVersion,
                    Positions = command.Positions,
                },
                Self);
        }
        if (work.Scored is null)
        {
            reward.Tell(
                new ScorePositions
                {
                    RunId = command.RunId,
                    RequestId = work.RequestId,
                    Step = command.Step,
                    PolicyVersion = command.PolicyVersion,
                    Positions = command.Positions,
                },
                Self);
        }
    }

    private void Deliver(Work work, ThoughtsSampled sampled, PositionsScored scored)
    {
        var done = work.Command;
        var evidence = done.Positions.Select((p, i) => (p.Group, scored.TeacherEvidence[i])).ToDictionary();
        works.Remove(work);
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
    }

    private void Fail(Work work, EngineFailed failure)
    {
        works.Remove(work);
        runs.Tell(new LaneFailed
        {
            RunId = work.Command.RunId,
            Stage = work.Command.Stage,
            Step = work.Command.Step,
            Lane = work.Command.Lane,
            Attempt = work.Command.Attempt,
            Role = failure.Role,
            Kind = failure.Kind,
            Message = failure.Message,
            EngineLost = failure.EngineLost,
        });
    }
}
