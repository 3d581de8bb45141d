using System.Threading.Channels;
using Akka.Actor;
using Akka.Hosting;
using Rlp.Actors.Journals;
using Rlp.Actors.Nodes;
using Rlp.Actors.Runs;
using Rlp.Protocol;
using Rlp.Protocol.Commands;
using Rlp.Protocol.Payloads;
using Rlp.Protocol.Queries;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Actors.Hosting;

/// <summary>A command about a run was refused, or its run cannot be reached; the message says what to do.</summary>
public sealed class RunRefusedException(FailureKind kind, string message, Exception? inner = null) : Exception(message, inner)
{
    public FailureKind Kind { get; } = kind;
}

/// <summary>A started run: what was answered, and its progress up to and including <see cref="RunEnded"/>.</summary>
public sealed record StartedRun(RunAccepted Accepted, ChannelReader<IRunProgress> Progress);

/// <summary>Where a started node's HTTP endpoint is; null where it has none.</summary>
public sealed record NodeAddress(Uri? Http);

/// <summary>How code outside the actor system speaks to the runs of its node.</summary>
public sealed class RunClient(ActorSystem system, NodeOptions options)
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ForkWithin = TimeSpan.FromMinutes(10); // reads and writes the whole past of a run

    /// <summary>The nodes of the cluster.</summary>
    public NodeClient Nodes { get; } = new(system);

    private readonly RunStates states = new(new RunJournal(options.Journal));

    /// <summary>Creates the run, or continues it where it stands. A complete run is accepted as such and has no progress.</summary>
    /// <exception cref="RunRefusedException">Other recipe or seed, locked by another process, no device free, or no answer.</exception>
    public async Task<StartedRun> StartAsync(string runId, Recipe recipe, CancellationToken cancellation = default)
    {
        var start = StartOf(runId, recipe);
        var progress = Channel.CreateUnbounded<IRunProgress>(new UnboundedChannelOptions { SingleReader = true });
        var accepted = new TaskCompletionSource<RunAccepted>(TaskCreationOptions.RunContinuationsAsynchronously);
        var region = Runs();
        var outage = new Suspension();
        var listener = system.ActorOf(Props.Create(() => new ProgressListener(start, region, accepted, progress.Writer, outage)));
        try
        {
            while (true)
                try
                {
                    return new StartedRun(await accepted.Task.WaitAsync(AnswerWithin, cancellation), progress.Reader);
                }
                catch (TimeoutException) when (outage.HeardOf())
                {
                    // The run waits for its journal, which it says each time it has tried; it gives up by itself.
                }
        }
        catch (Exception e)
        {
            system.Stop(listener);
            throw e is TimeoutException ? Silent(runId, e) : e;
        }
    }

    /// <exception cref="RunRefusedException">No run can have that id.</exception>
    public static void RequireRunId(string runId)
    {
        if (!RunIds.IsValid(runId))
            throw new RunRefusedException(FailureKind.Configuration, $"'{runId}' is no run id: use {RunIds.Expected}");
    }

    /// <summary>Journals the past of a new run, whose folder holds its checkpoints already; completes when all of it is durable.</summary>
    /// <exception cref="RunRefusedException">A run of that id exists, or the source has no such past.</exception>
    public Task ForkAsync(ForkRun fork, CancellationToken cancellation = default) => AskRun(fork, cancellation, ForkWithin);

    /// <summary>As <see cref="StartAsync"/>, for a run that goes on whoever watches it.</summary>
    /// <exception cref="RunRefusedException">Other recipe or seed, or no answer.</exception>
    public async Task<RunAccepted> SubmitAsync(string runId, Recipe recipe, CancellationToken cancellation = default) =>
        (RunAccepted)await AskRun(StartOf(runId, recipe), cancellation);

    /// <summary>Goes on with a run that was paused or failed, by the recipe in its journal.</summary>
    /// <exception cref="RunRefusedException">There is no such run, or no answer.</exception>
    public async Task<RunAccepted> ResumeAsync(string runId, CancellationToken cancellation = default) =>
        (RunAccepted)await AskRun(new ContinueRun { RunId = runId, Environment = NodeEnvironment.Describe(options) }, cancellation);

    /// <summary>Ends a run for good, without a checkpoint: it cannot be resumed. What it has committed stays.</summary>
    /// <exception cref="RunRefusedException">There is no such run, or it has ended.</exception>
    public async Task<RunStopped> CancelAsync(string runId, string reason, CancellationToken cancellation = default) =>
        (RunStopped)await AskUntilAnswered(new StopRun { RunId = runId, Reason = reason, Cancel = true }, cancellation);

    /// <summary>Stops a run after its current engine call and a checkpoint; completes when that is durable.</summary>
    /// <exception cref="RunRefusedException">The run could not be stopped durably.</exception>
    public async Task<RunStopped> StopAsync(string runId, string reason, CancellationToken cancellation = default) =>
        (RunStopped)await AskUntilAnswered(new StopRun { RunId = runId, Reason = reason }, cancellation);

    /// <summary>What the journal says of a run, and what its entity adds where it is at work and answers soon.</summary>
    /// <exception cref="RunRefusedException">There is no such run.</exception>
    public async Task<RunView> ViewAsync(string runId, CancellationToken cancellation = default)
    {
        var state = states.Of(runId);
        if (state.Status == RunStatus.Absent)
            throw new RunRefusedException(FailureKind.Configuration, $"there is no run '{runId}' in the journal of this cluster");
        // Only an entity that is at work has something to add; to ask another one would wake it.
        return RunView.Of(state, state.Status == RunStatus.Running ? await AtWorkAsync(runId, cancellation) : null);
    }

    /// <summary>The word of the run's entity; null where it gives none soon: its node may be gone, and the journal still says where the run stands.</summary>
    private async Task<RunReport?> AtWorkAsync(string runId, CancellationToken cancellation)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        soon.CancelAfter(NodeClient.AnswerWithin);
        try
        {
            return await ReportAsync(runId, soon.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>What the journal says of a run.</summary>
    public RunState StateOf(string runId) => states.Of(runId);

    public async Task<RunReport> ReportAsync(string runId, CancellationToken cancellation = default) =>
        (RunReport)await AskRun(new GetRun { RunId = runId }, cancellation);

    /// <summary>The runs that the registry knows.</summary>
    public async Task<RunList> ListAsync(CancellationToken cancellation = default) =>
        await (await ActorRegistry.For(system).GetAsync<RunRegistryActor>(cancellation)).Ask<RunList>(new ListRuns(), AnswerWithin, cancellation);

    /// <summary>What a worker of this node does.</summary>
    public Task<WorkerStatus> WorkerAsync(Role role, CancellationToken cancellation = default) =>
        system.ActorSelection(NodeSupervisor.PathOf(role)).Ask<WorkerStatus>(new GetWorkerStatus(), AnswerWithin, cancellation);

    /// <summary>The leases of this node.</summary>
    public Task<NodeStatus> NodeAsync(CancellationToken cancellation = default) =>
        system.ActorSelection($"/user/{NodeSupervisor.Name}").Ask<NodeStatus>(new GetNodeStatus(), AnswerWithin, cancellation);

    private StartRun StartOf(string runId, Recipe recipe)
    {
        RequireRunId(runId);
        return new StartRun
        {
            RunId = runId,
            RecipeJson = recipe.ToJson(),
            RecipeSha256 = recipe.Digest,
            Seed = recipe.Seed,
            Plan = RunPlans.Of(recipe),
            Environment = NodeEnvironment.Describe(options),
        };
    }

    private IActorRef Runs() => ActorRegistry.For(system).Get<TrainingRunActor>();

    private async Task<IRunMessage> AskRun<T>(T message, CancellationToken cancellation, TimeSpan? within = null) where T : IRunMessage
    {
        try
        {
            var answer = await Runs().Ask<IRunMessage>(message, within ?? AnswerWithin, cancellation);
            return answer is RunRefused refused ? throw new RunRefusedException(refused.Kind, refused.Message) : answer;
        }
        catch (AskTimeoutException e)
        {
            throw Silent(message.RunId, e);
        }
    }

    /// <summary>
    /// A stop takes as long as the engine call in work and a checkpoint. It is asked for again meanwhile: a message may be lost with an entity that ends
    /// just then, and to stop twice is to stop once.
    /// </summary>
    private async Task<IRunMessage> AskUntilAnswered(StopRun stop, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await AskRun(stop, cancellation, AskAgainAfter);
            }
            catch (RunRefusedException e) when (e.InnerException is AskTimeoutException)
            {
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    private RunRefusedException Silent(string runId, Exception e) =>
        new(FailureKind.Infrastructure, $"run '{runId}' does not answer: {e.Message}. {options.LogFile} may say why", e);

    /// <summary>Whether a run said that it waits for its journal since this was asked last.</summary>
    private sealed class Suspension
    {
        private int heard;

        public void Hear() => Interlocked.Exchange(ref heard, 1);

        public bool HeardOf() => Interlocked.Exchange(ref heard, 0) == 1;
    }

    /// <summary>
    /// Starts a run and puts its progress into a channel: who starts a run is told of its progress from the first message on. The run entity's
    /// own end ends the channel too, in case nothing else did.
    /// </summary>
    private sealed class ProgressListener : ReceiveActor
    {
        private readonly StartRun start;
        private readonly IActorRef region;
        private readonly ChannelWriter<IRunProgress> progress;

        public ProgressListener(StartRun start, IActorRef region, TaskCompletionSource<RunAccepted> accepted, ChannelWriter<IRunProgress> progress, Suspension outage)
        {
            this.start = start;
            this.region = region;
            this.progress = progress;
            Receive<RunAccepted>(answer =>
            {
                accepted.TrySetResult(answer);
                if (answer.AlreadyComplete)
                    Context.Stop(Self);
                else
                    Context.Watch(Sender);
            });
            Receive<RunRefused>(refusal =>
            {
                accepted.TrySetException(new RunRefusedException(refusal.Kind, refusal.Message));
                Context.Stop(Self);
            });
            Receive<IRunProgress>(message =>
            {
                progress.TryWrite(message);
                if (message is RunNotice { Suspended: true })
                {
                    outage.Hear();
                    Context.Unwatch(Sender); // another incarnation goes on with the run
                }
                else
                {
                    Context.Watch(Sender);
                }
                if (message is RunEnded)
                    Context.Stop(Self);
            });
            Receive<Terminated>(_ =>
            {
                progress.TryWrite(new RunEnded
                {
                    RunId = start.RunId,
                    Status = RunStatus.Failed,
                    Kind = FailureKind.Infrastructure,
                    Message = "the run's actor ended without saying why; what the journal holds is safe, start the same run again to continue",
                });
                Context.Stop(Self);
            });
        }

        protected override void PreStart() => region.Tell(start);

        protected override void PostStop() => progress.TryComplete();
    }
}
