using Akka.Actor;
using Akka.Event;
using Rlp.Actors.Hosting;
using Rlp.Actors.Journals;
using Rlp.Protocol.Replies;
using Rlp.Protocol.Runs;
using Rlp.Training.Recipes;

namespace Rlp.Cli.Runs;

/// <summary>
/// Writes metrics, plots and report of the runs whose entities stand on this node, as `rlp train` does for its own. Where an entity comes to this
/// node in the middle of a run, what the files lack is taken from the journal.
/// </summary>
internal sealed class RunScribe : IDisposable
{
    private readonly ActorSystem system;
    private readonly IActorRef listener;

    public RunScribe(ActorSystem system, NodeOptions options)
    {
        this.system = system;
        listener = system.ActorOf(Props.Create(() => new Listener(options)), "scribe");
        system.EventStream.Subscribe(listener, typeof(IRunProgress));
    }

    public void Dispose() => system.EventStream.Unsubscribe(listener);

    private sealed class Listener : ReceiveActor
    {
        private readonly NodeOptions options;
        private readonly Dictionary<string, RunMetrics> metrics = [];
        private readonly ILoggingAdapter log = Context.GetLogger();

        public Listener(NodeOptions options)
        {
            this.options = options;
            Receive<IRunProgress>(progress =>
            {
                try
                {
                    Write(progress);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
                {
                    log.Warning("the metrics of run '{0}' cannot be written: {1}", progress.RunId, e.Message); // its journal has them
                }
            });
        }

        protected override void PostStop()
        {
            foreach (var open in metrics.Values) open.Dispose();
        }

        private void Write(IRunProgress progress)
        {
            var folder = options.RunFolder(progress.RunId);
            var journal = new RunJournal(options.Journal);
            if (!metrics.TryGetValue(progress.RunId, out var open))
                metrics[progress.RunId] = open = RunMetrics.Open(folder, journal.Events(progress.RunId));
            open.Record(progress);
            if (progress is not RunEnded ended) return;
            open.Dispose();
            metrics.Remove(progress.RunId);
            if (ended.Status == RunStatus.Completed)
                RunResults.Write(journal, progress.RunId, folder, Recipe.FromJson(journal.State(progress.RunId).RecipeJson).ToJson());
        }
    }
}
