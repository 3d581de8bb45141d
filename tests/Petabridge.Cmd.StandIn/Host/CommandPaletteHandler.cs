using Akka.Actor;

namespace Petabridge.Cmd.Host;

/// <summary>A palette with the actors that answer its commands, one for each connection.</summary>
public abstract class CommandPaletteHandler(CommandPalette palette)
{
    public CommandPalette Palette { get; } = palette;

    public abstract Props HandlerProps { get; }

    public virtual void OnRegister(PetabridgeCmd plugin)
    {
    }
}

/// <summary>Answers the sender of a <see cref="Command"/>.</summary>
public abstract class CommandHandlerActor : ReceiveActor
{
    private readonly Dictionary<string, Action<Command, CommandArguments>> handlers = [];

    protected CommandHandlerActor(CommandPalette palette) => Receive<Command>(command =>
    {
        if (command.Palette == palette.Name && handlers.TryGetValue(command.Name, out var handle)) handle(command, new CommandArguments(palette.Commands.Single(c => c.Name == command.Name), command));
        else Sender.Tell(new ErroredCommandResponse($"'{palette.Name}' has no command '{command.Palette} {command.Name}'"));
    });

    protected void Process(string name, Action<Command, CommandArguments> handle) => handlers.Add(name, handle);
}
