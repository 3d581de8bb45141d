using Akka.Actor;
using Akka.Cluster;
using Rlp.Actors.Nodes;
using Rlp.Actors.Serialization;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Parts;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Runs;

/// <summary>
/// One lane of a run: has its groups of a step sampled by the rollout worker of the node it stands on, or was told to use, and scored by the reward
/// worker there (on a node that has none, by one elsewhere), at the same time, and delivers them to the run entity. It sees to it that these workers have the
/// engines that the command names. With a staleness it may have several steps at work. Holds nothing that is not in a command, so it may be lost
/// and asked again anywhere.
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

    private readonly Cluster cluster = Cluster.Get(Context.System);
    private readonly LargeMessages large = new(Context);
    private readonly IActorRef runs;

    /// <summary>The opening that each role's worker was told of last.</summary>
    private readonly Dictionary<Role, long> opened = [];
    private readonly List<Work> works = [];

    /// <summary>Random, so that an answer to this lane's predecessor is not taken for one to this lane.</summary>
    private long lastRequestId = Random.Shared.NextInt64(long.MaxValue / 2);

    /// <summary>The node whose rollout worker samples.</summary>
    private Member sampling;

    /// <summary>The node whose reward worker scores; null until the first work.</summary>
    private Member? scoring;

    /// <summary>The failure told last: the attempt that it ended is not made again when its command comes twice.</summary>
    private LaneFailed? failed;

    public RolloutLaneActor(IActorRef runs)
    {
        this.runs = runs;
        sampling = cluster.SelfMember;
        Receive<ExecuteLane>(Begin);
        Receive<ReassignLane>(Reassign);
        Receive<ClusterEvent.MemberRemoved>(removed =>
        {
            large.Forget(removed.Member.Address);
            if (removed.Member.Equals(sampling))
                SampleOn(cluster.SelfMember);
            if (removed.Member.Equals(scoring))
                ScoreOn(null);
        });
        Receive<ClusterEvent.MemberUp>(_ =>
        {
            if (scoring is null)
                foreach (var work in works.Where(w => w.Scored is null))
                    Score(work);
        });
        Receive<MessagePart>(part =>
        {
            if (large.Take(part, Sender) is { } whole)
                Receive(whole);
        });
        Receive<PartTaken>(large.GoOn);
        Receive<LargeMessages.DropLost>(_ => large.Drop());
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
            else
                FailPoint.Reach(FailPoint.LaneHalfDone, work.Command.Stage, work.Command.Step);
        });
    }

    protected override void PreStart() => cluster.Subscribe(
        Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsEvents, typeof(ClusterEvent.MemberRemoved), typeof(ClusterEvent.MemberUp));

    protected override void PostStop() => cluster.Unsubscribe(Self);

    private void Begin(ExecuteLane command)
    {
        if (failed is not null && (failed.Stage, failed.Step, failed.Attempt) == (command.Stage, command.Step, command.Attempt))
        {
            runs.Tell(failed);
            return;
        }
        // What no run could still be waiting for: of another stage, or further away than any staleness.
        works.RemoveAll(w => w.Command.Stage != command.Stage || Math.Abs(w.Command.Step - command.Step) > RlpSettings.MaximumStaleness);
        // The same work asked for again keeps its request id: the workers know it and do it once.
        var work = works.Find(w => (w.Command.Step, w.Command.PolicyVersion) == (command.Step, command.PolicyVersion));
        if (work is null)
            works.Add(work = new Work(++lastRequestId, command));
        work.Command = command;
        TellStarted(command);
        if (work.Sampled is null)
            Sample(work);
        if (work.Scored is null)
            Score(work);
    }

    private void TellStarted(ExecuteLane command) => runs.Tell(new LaneStarted
    {
        RunId = command.RunId,
        Step = command.Step,
        Lane = command.Lane,
        Attempt = command.Attempt,
        Node = ClusterNodes.NameOf(sampling),
    });

    private void Reassign(ReassignLane command)
    {
        var others = ClusterNodes.Available(cluster).Where(m => m.Has(Role.Rollout) && !m.Equals(sampling)).Ranked(command.LaneId).ToArray();
        if (others.FirstOrDefault(m => command.Node == "" || ClusterNodes.NameOf(m) == command.Node) is not { } next)
        {
            var known = others.Length == 0 ? "there is no other" : $"others are {string.Join(", ", others.Select(ClusterNodes.NameOf))}";
            Sender.Tell(new RunRefused
            {
                RunId = command.RunId,
                Kind = FailureKind.Configuration,
                Message = $"lane {command.Lane} of run '{command.RunId}' is on node {ClusterNodes.NameOf(sampling)}; "
                    + $"{(command.Node == "" ? "nobody else" : $"'{command.Node}' is not another node that")} can take it: {known} with a rollout worker",
            });
            return;
        }
        var previous = sampling;
        SampleOn(next);
        if (next.Has(Role.Reward))
            ScoreOn(next);
        foreach (var work in works)
            TellStarted(work.Command);
        Sender.Tell(new LaneReassigned
        {
            RunId = command.RunId,
            Lane = command.Lane,
            From = ClusterNodes.NameOf(previous),
            To = ClusterNodes.NameOf(next),
        });
    }

    private void SampleOn(Member node)
    {
        sampling = node;
        opened.Remove(Role.Rollout);
        foreach (var work in works.Where(w => w.Sampled is null))
            Sample(work);
    }

    private void ScoreOn(Member? node)
    {
        scoring = node;
        opened.Remove(Role.Reward);
        foreach (var work in works.Where(w => w.Scored is null))
            Score(work);
    }

    private void Sample(Work work)
    {
        var command = work.Command;
        Ask(Role.Rollout, sampling, command, new SampleThoughts
        {
            RunId = command.RunId,
            RequestId = work.RequestId,
            Step = command.Step,
            PolicyVersion = command.PolicyVersion,
            Positions = command.Positions,
            Policy = command.Policy,
            TraceParent = command.TraceParent,
        });
    }

    private void Score(Work work)
    {
        var command = work.Command;
        scoring ??= cluster.SelfMember.Has(Role.Reward)
            ? cluster.SelfMember
            : ClusterNodes.Available(cluster).Where(m => m.Has(Role.Reward)).Ranked(command.LaneId).FirstOrDefault();
        if (scoring is null)
            return; // until a node with a reward worker is up
        Ask(Role.Reward, scoring, command, new ScorePositions
        {
            RunId = command.RunId,
            RequestId = work.RequestId,
            Step = command.Step,
            PolicyVersion = command.PolicyVersion,
            Positions = command.Positions,
            Teacher = command.Teacher,
            TraceParent = command.TraceParent,
        });
    }

    /// <summary>What a worker takes in this order it does in this order: the engine is open when the work comes, or both fail.</summary>
    private void Ask(Role role, Member node, ExecuteLane command, IEngineRequest request)
    {
        var worker = Context.WorkerOn(node, role);
        if (opened.GetValueOrDefault(role) != command.Opening)
        {
            worker.Tell(
                new OpenEngine
                {
                    RunId = command.RunId,
                    RequestId = ++lastRequestId,
                    Stage = command.Stage,
                    RecipeJson = command.RecipeJson,
                    Opening = command.Opening,
                },
                Self);
            opened[role] = command.Opening;
        }
        large.Tell(worker, request);
    }

    private void Deliver(Work work, ThoughtsSampled sampled, PositionsScored scored)
    {
        var done = work.Command;
        var evidence = done.Positions.Select((p, i) => (p.Group, scored.TeacherEvidence[i])).ToDictionary();
        works.Remove(work);
        large.Tell(runs, new LaneCompleted
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
        opened.Clear(); // an engine that failed is gone: it is opened again with the next work
        failed = new LaneFailed
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
        };
        runs.Tell(failed);
    }
}
