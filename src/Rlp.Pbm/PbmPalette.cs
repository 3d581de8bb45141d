using Akka.Actor;
using Petabridge.Cmd;
using Petabridge.Cmd.Host;
using Rlp.Consoles;

namespace Rlp.Pbm;

/// <summary>One palette of <see cref="PbmPalettes"/> with its actor, of which each connection of a pbm has one.</summary>
internal sealed class PbmPalette : CommandPaletteHandler
{
    /// <param name="cluster">Asked for each command; what it throws is the command's answer.</param>
    public PbmPalette(Palette palette, Func<IClusterView> cluster) : this(palette, PbmPalettes.Define(palette), cluster)
    {
    }

    private PbmPalette(Palette palette, CommandPalette definition, Func<IClusterView> cluster) : base(definition) =>
        HandlerProps = Props.Create(() => new HandlerActor(palette, definition, cluster));

    public override Props HandlerProps { get; }

    private sealed class HandlerActor : CommandHandlerActor
    {
        public HandlerActor(Palette palette, CommandPalette definition, Func<IClusterView> cluster) : base(definition)
        {
            foreach (var verb in palette.Verbs)
                Process(verb.Name, (_, given) =>
                {
                    // By name, as every published palette reads its arguments: by which switch they came is the parser's affair.
                    var words = verb.Arguments.SelectMany(a => given.ArgumentValues(a.Name).SelectMany(value => (string[])[a.Switch, value]));
                    string[] line = [palette.Name, verb.Name, .. words];
                    var asker = Sender;
                    Context.ActorOf(Props.Create(() => new AnswerActor(line, cluster, asker)));
                });
        }
    }
}
