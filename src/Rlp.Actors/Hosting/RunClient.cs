using System.Threading.Channels;
using Akka.Actor;
using Akka.Hosting;
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
public sealed class RunRefusedException(FailureKind kind, string message) : Exception(message)
{
    public FailureKind Kind { get; } = kind;
}

/// <summary>A started run: what was answered, and its progress up to and including <see cref="RunEnded"/>.</summary>
public sealed record StartedRun(RunAccepted Accepted, ChannelReader<IRunProgress> Progress);

/// <summary>How code outside the actor system speaks to the runs of its node.</summary>
public sealed class RunClient(ActorSystem system, NodeOptions options)
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(1);

    /// <summary>Creates the run, or continues it where it stands. A complete run is accepted as such and has no progress.</summary>
    /// <exception cref="RunRefusedException">Other recipe or seed, locked by another process, no device free, or no answer.</exception>
    public async Task<StartedRun> StartAsync(string runId, Recipe recipe, CancellationToken cancellation = default)
    {
        if (runId.Length is 0 or > 128 || !runId.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || runId.StartsWith('.'))
            throw new RunRefusedException(FailureKind.Configuration, $"'{runId}' is no run id: use up to 128 letters, digits, '-', '_' and '.', not beginning with '.'");
        var progress = Channel.CreateUnbounded<IRunProgress>(new UnboundedChannelOptions { SingleReader = true });
        var region = Runs();
        var listener = system.ActorOf(Props.Create(() => new ProgressListener(runId, region, progress.Writer)));
        try
        {
            var answer = await AskRun<StartRun>(
                new StartRun
                {
                    RunId = runId,
                    RecipeJson = recipe.ToJson(),
                    RecipeSha256 = recipe.Digest,
                    Seed = recipe.Seed,
                    Plan = RunPlans.Of(recipe),
                    Environment = NodeEnvironment.Describe(options),
                },
                cancellation);
            if (answer is not RunAccepted accepted)
                throw new RunRefusedException(FailureKind.Infrastructure, $"unexpected answer {answer.GetType().Name}");
            if (accepted.AlreadyComplete)
            {
                system.Stop(listener);
                progress.Writer.TryComplete();
            }
            return new StartedRun(accepted, progress.Reader);
        }
        catch
        {
            system.Stop(listener);
            throw;
        }
    }

    /// <summary>Stops a run after its current engine call and a checkpoint; completes when that is durable.</summary>
    /// <exception cref="RunRefusedException">The run could not be stopped durably.</exception>
    public async Task<RunStopped> StopAsync(string runId, string reason, CancellationToken cancellation = default) =>
        (RunStopped)await AskRun(new StopRun { RunId = runId, Reason = reason }, cancellation, Timeout.InfiniteTimeSpan);

    public async Task<RunReport> ReportAsync(string runId, CancellationToken cancellation = default) =>
        (RunReport)await AskRun(new GetRun { RunId = runId }, cancellation);

    /// <summary>The runs that the registry knows.</summary>
    public async Task<RunList> ListAsync(CancellationToken cancellation = default) =>
        await (await ActorRegistry.For(system).GetAsync<RunRegistryActor>(cancellation)).Ask<RunList>(new ListRuns(), AnswerWithin, cancellation);

    /// <summary>What a worker of this node does.</summary>
    public Task<WorkerStatus> WorkerAsync(Role role, CancellationToken cancellation = default) =>
        system.ActorSelection(Nodes.NodeSupervisor.PathOf(role)).Ask<WorkerStatus>(new GetWorkerStatus(), AnswerWithin, cancellation);

    /// <summary>The leases of this node.</summary>
    public Task<NodeStatus> NodeAsync(CancellationToken cancellation = default) =>
        system.ActorSelection($"/user/{Nodes.NodeSupervisor.Name}").Ask<NodeStatus>(new GetNodeStatus(), AnswerWithin, cancellation);

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
            throw new RunRefusedException(FailureKind.Infrastructure, $"run '{message.RunId}' does not answer: {e.Message}. {options.LogFile} may say why");
        }
    }

    /// <summary>Puts a run's progress into a channel. The run entity's own end ends the channel too, in case nothing else did.</summary>
    private sealed class ProgressListener : ReceiveActor
    {
        private readonly string runId;
        private readonly IActorRef region;
        private readonly ChannelWriter<IRunProgress> progress;

        public ProgressListener(string runId, IActorRef region, ChannelWriter<IRunProgress> progress)
        {
            this.runId = runId;
            this.region = region;
            this.progress = progress;
            Receive<RunReport>(_ => Context.Watch(Sender));
            Receive<IRunProgress>(message =>
            {
                progress.TryWrite(message);
                if (message is RunEnded)
                    Context.Stop(Self);
            });
            Receive<Terminated>(_ =>
            {
                progress.TryWrite(new RunEnded
                {
                    RunId = runId,
                    Status = RunStatus.Failed,
                    Kind = FailureKind.Infrastructure,
                    Message = "the run's actor ended without saying why; what the journal holds is safe, start the same run again to continue",
                });
                Context.Stop(Self);
            });
        }

        protected override void PreStart() => region.Tell(new SubscribeProgress { RunId = runId });

        protected override void PostStop() => progress.TryComplete();
    }
}
