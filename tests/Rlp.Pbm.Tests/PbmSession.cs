using Akka.Actor;
using Akka.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Petabridge.Cmd;
using Petabridge.Cmd.Host;
using Rlp.Consoles;

namespace Rlp.Pbm.Tests;

/// <summary>A node with pbm, and somebody who asks it as pbm does: a handler of each palette for the connection, and one inbox.</summary>
internal sealed class PbmSession : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IHost host;
    private readonly Dictionary<string, IActorRef> handlers = [];

    private PbmSession(IHost host)
    {
        this.host = host;
        System = host.Services.GetRequiredService<ActorSystem>();
        Inbox = Inbox.Create(System);
        foreach (var handler in PetabridgeCmd.Get(System).Handlers.OfType<PbmPalette>())
            handlers.Add(handler.Palette.Name, System.ActorOf(handler.HandlerProps));
    }

    public ActorSystem System { get; }

    public Inbox Inbox { get; }

    /// <summary>At a port that the stand-in does not open.</summary>
    public static Task<PbmSession> StartAsync(Func<IClusterView> cluster) => StartAsync(akka => akka.WithPbm(0, cluster, _ => { }));

    public static async Task<PbmSession> StartAsync(Action<AkkaConfigurationBuilder> pbm)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddAkka("pbm", (akka, _) =>
            pbm(akka.AddHocon("akka.stdout-loglevel = OFF, akka.loglevel = OFF", HoconAddMode.Prepend)));
        var host = builder.Build();
        await host.StartAsync();
        return new PbmSession(host);
    }

    /// <summary>Hands the words after `pbm HOST:PORT` to the handler of their palette.</summary>
    public IActorRef Send(params IReadOnlyList<string> words)
    {
        var arguments = words.Skip(2).Chunk(2).Select(pair => Tuple.Create(pair[0], pair[1]));
        var handler = handlers[words[0]];
        Inbox.Send(handler, new Command(words[0], words[1], arguments));
        return handler;
    }

    public async Task<CommandResponse> NextAsync() => (CommandResponse)await Inbox.ReceiveAsync(Patience);

    /// <summary>The lines up to and with the final one, errors with a '!' before them, or as many as asked for.</summary>
    public async Task<string[]> LinesAsync(int atMost = int.MaxValue)
    {
        var lines = new List<string>();
        while (lines.Count < atMost)
        {
            var response = await NextAsync();
            if (response is ErroredCommandResponse) lines.Add("!" + response.Msg);
            else if (response != CommandResponse.Empty) lines.Add(response.Msg);
            if (response.Final) break;
        }
        return [.. lines];
    }

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
    }
}
