using System.Diagnostics;
using Rlp.Actors.Hosting;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training;
using Rlp.Training.Engines;
using Rlp.Training.Recipes;
using Rlp.Training.Weights;

namespace Rlp.Actors.Workers;

/// <summary>One role's engine of one run, on the thread that opened it: turns each request into one synchronous engine call.</summary>
internal abstract class EngineSeat(NodeOptions options, NodeWeights weights) : IDisposable
{
    private long opening;
    private string stageId = "";

    /// <summary>The seat of a role.</summary>
    public static EngineSeat For(Role role, NodeOptions options, NodeWeights weights) => role switch
    {
        Role.Data => new DataSeat(options, weights),
        Role.Rollout => new RolloutSeat(options, weights),
        Role.Reward => new RewardSeat(options, weights),
        Role.Learner => new LearnerSeat(options, weights),
        Role.Ema => new EmaSeat(options, weights),
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, null),
    };

    /// <summary>Answers one request; <paramref name="started"/> is the stopwatch timestamp of its beginning.</summary>
    /// <exception cref="InvalidOperationException">The role does not do that, or its engine is not open.</exception>
    public IEngineReply Answer(IEngineRequest request, long started)
    {
        if (request is DescribeEngine)
            return Describe(request, started);
        if (request is not OpenEngine open)
            return Call(request, started);
        if (open.Opening != 0 && open.Opening == opening)
            return Done(request, started);
        (opening, stageId) = (0, "");
        var recipe = Recipe.FromJson(open.RecipeJson);
        var stage = recipe.Stage(open.Stage);
        Dispose();
        Open(
            new StageContext(open.RunId, recipe, stage, options.RunFolder(open.RunId), ThreadPlan.Of(options.Threads).For(stage).IntraOp, weights)
            {
                Policy = WeightTickets.Read(open.Policy),
            },
            WireFormat.Read(open.Checkpoint),
            options.Engines);
        (opening, stageId) = (open.Opening, open.Stage);
        return Done(request, started);
    }

    /// <summary>The stage whose engine is open.</summary>
    protected string StageId => stageId;

    /// <summary>Of a learner its policy version, of a teacher the step of its last update.</summary>
    protected virtual long Step => 0;

    protected virtual StepLearned? Learned => null;

    private EngineDescribed Describe(IEngineRequest request, long started) => new()
    {
        RunId = request.RunId,
        RequestId = request.RequestId,
        Stage = stageId,
        Opening = opening,
        Step = Step,
        Learned = Learned,
        Seconds = Since(started),
    };

    /// <summary>The reply with the tickets of the weights that this seat's engine publishes, where other nodes can read them.</summary>
    public IEngineReply WithTickets(IEngineReply reply) => Publishes is { } name ? WeightTickets.Attach(reply, weights.References(reply.RunId, name)) : reply;

    /// <summary>The name of the weights that the seat's engine publishes; null: none.</summary>
    protected virtual string? Publishes => null;

    public abstract void Dispose();

    protected abstract void Open(StageContext context, CheckpointReference? checkpoint, IEngineFactory engines);

    protected abstract IEngineReply Call(IEngineRequest request, long started);

    protected static EngineDone Done(IEngineRequest request, long started) => new() { RunId = request.RunId, RequestId = request.RequestId, Seconds = Since(started) };

    protected static double Since(long started) => Stopwatch.GetElapsedTime(started).TotalSeconds;

    protected static InvalidOperationException NotOpen(IEngineRequest request) =>
        new($"{request.GetType().Name} of run '{request.RunId}' needs an engine that is not open");

    protected static InvalidOperationException Unknown(IEngineRequest request) => new($"this role does not answer {request.GetType().Name}");
}
