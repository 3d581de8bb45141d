using Akka.Actor;
using Petabridge.Cmd.Host;

namespace Petabridge.Cmd.Remote;

public sealed class RemoteCommands() : CommandPaletteHandler(new CommandPalette("remote", []))
{
    public override Props HandlerProps => Props.Empty;
}
