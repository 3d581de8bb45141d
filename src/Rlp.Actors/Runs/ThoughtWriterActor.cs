using Akka.Actor;
using Akka.Event;
using Rlp.Actors.Workers;
using Rlp.Protocol.Payloads;
using Rlp.Training.Thoughts;

namespace Rlp.Actors.Runs;

/// <summary>
/// Keeps the thoughts of a run's steps beside the run, which never waits for it: what a slow disk does not take in time is not kept, and a
/// disk that takes nothing costs thoughts only. Its parent hears of both, once.
/// </summary>
internal sealed class ThoughtWriterActor : ReceiveActor
{
    /// <summary>An applied step with all of its groups.</summary>
    internal sealed record Write(string Stage, long Step, IReadOnlyList<WireGroup> Groups)
    {
        public long Tokens { get; } = Groups.Sum(g => g.Position.Prefix.Length + g.Thoughts.Sum(t => (long)t.Tokens.Length));
    }

    /// <summary>For people: thoughts are not kept, and why.</summary>
    internal sealed record NotKept(string Message);

    private sealed record Written(Write Step, Exception? Failure);

    /// <summary>Small steps come in bursts; of large ones, two.</summary>
    private const int StepsWaiting = 2;

    private const long TokensWaiting = 1 << 22;

    /// <summary>An end waits for the disk no longer than this.</summary>
    private static readonly TimeSpan LastWritesWithin = TimeSpan.FromSeconds(5);

    private readonly ThoughtFolder folder;
    private readonly long bytes;
    private readonly Queue<Write> waiting = new();
    private readonly ILoggingAdapter log = Context.GetLogger();
    private Task<Written>? writing;
    private bool slow;
    private bool failing;

    /// <param name="bytes">Of the folder at most.</param>
    public ThoughtWriterActor(ThoughtFolder folder, long bytes)
    {
        (this.folder, this.bytes) = (folder, bytes);
        Receive<Write>(Take);
        Receive<Written>(written =>
        {
            writing = null;
            if (written.Failure is { } failure && !failing)
                Say($"{CannotBeKept(written.Step, failure)}. The run goes on; those of later steps are kept once the disk takes them");
            failing = written.Failure is not null;
            WriteNext();
        });
    }

    /// <summary>What has come is kept: its steps are not executed again.</summary>
    protected override void PostStop()
    {
        if (writing is null)
            return;
        var (last, left) = (writing, waiting.ToArray());
        var written = Task.Run(async () =>
        {
            await last;
            foreach (var step in left)
                if (Keep(step).Failure is { } failure)
                    log.Warning(CannotBeKept(step, failure));
        });
        if (!written.Wait(LastWritesWithin))
            log.Warning("the thoughts of the last {0} steps are not all kept: the disk of {1} is too slow", left.Length + 1, folder.Folder);
    }

    private void Take(Write step)
    {
        if (waiting.Count >= StepsWaiting && waiting.Sum(w => w.Tokens) + step.Tokens > TokensWaiting)
        {
            if (!slow)
                Say($"the thoughts of step {step.Step} are not kept: the disk of {folder.Folder} is too slow, {waiting.Count} steps wait "
                    + "for it. The run goes on, and more steps may be left out; node.thoughts = none keeps none");
            slow = true;
            return;
        }
        waiting.Enqueue(step);
        WriteNext();
    }

    private void WriteNext()
    {
        if (writing is not null || !waiting.TryDequeue(out var step))
            return;
        writing = Task.Run(() => Keep(step));
        writing.PipeTo(Self);
    }

    private Written Keep(Write step)
    {
        try
        {
            folder.Keep(step.Stage, step.Step, step.Groups.Select(WireFormat.Read), bytes);
            return new Written(step, null);
        }
        catch (Exception e) // whatever it is, it is not the run's
        {
            return new Written(step, e);
        }
    }

    private string CannotBeKept(Write step, Exception failure) =>
        $"the thoughts of step {step.Step} cannot be kept in {folder.FileOf(step.Stage, step.Step)}: {failure.Message}";

    private void Say(string message) => Context.Parent.Tell(new NotKept(message));
}
