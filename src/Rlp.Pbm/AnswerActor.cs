using Akka.Actor;
using Petabridge.Cmd;
using Rlp.Consoles;

namespace Rlp.Pbm;

/// <summary>The answer to one command: ends when it is whole, when who asked is gone, and with the connection whose child it is.</summary>
internal sealed class AnswerActor : ReceiveActor
{
    private readonly CancellationTokenSource ending = new();
    private readonly IReadOnlyList<string> words;
    private readonly Func<IClusterView> cluster;
    private readonly IActorRef asker;

    public AnswerActor(IReadOnlyList<string> words, Func<IClusterView> cluster, IActorRef asker)
    {
        (this.words, this.cluster, this.asker) = (words, cluster, asker);
        Receive<Terminated>(_ => Context.Stop(Self));
    }

    protected override void PreStart()
    {
        Context.Watch(asker);
        var self = Self;
        _ = Task.Run(async () =>
        {
            await AnswerAsync();
            self.Tell(PoisonPill.Instance);
        });
    }

    protected override void PostStop() => ending.Cancel();

    private async Task AnswerAsync()
    {
        var errors = new List<string>();
        var display = new PlainAnswerDisplay(line => asker.Tell(new CommandResponse(line, false)), errors.Add);
        try
        {
            var command = PaletteCommand.Parse(words, PbmPalettes.All);
            await foreach (var line in command.AnswerAsync(cluster(), ending.Token)) display.Show(line);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return; // nobody is left to be told
        }
        catch (Exception e)
        {
            display.Show(new ErrorLine(e.Message)); // no command, or no cluster to ask yet
        }
        display.End();
        asker.Tell(errors.Count > 0 ? new ErroredCommandResponse(string.Join('\n', errors)) : CommandResponse.Empty);
    }
}
