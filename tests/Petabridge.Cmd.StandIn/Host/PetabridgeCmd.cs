using Akka.Actor;
using Akka.Hosting;

namespace Petabridge.Cmd.Host;

public sealed class PetabridgeCmdOptions
{
    public string Host { get; set; } = "0.0.0.0";

    public int Port { get; set; } = 9110;
}

/// <summary>The palettes of an actor system.</summary>
public sealed class PetabridgeCmd(ExtendedActorSystem system) : IExtension
{
    private readonly List<CommandPaletteHandler> handlers = [];

    public ExtendedActorSystem Sys { get; } = system;

    public IReadOnlyList<CommandPaletteHandler> Handlers => handlers;

    public string Host => Sys.Settings.Config.GetString("petabridge.cmd.host");

    public int Port => Sys.Settings.Config.GetInt("petabridge.cmd.port");

    public static PetabridgeCmd Get(ActorSystem system) => system.WithExtension<PetabridgeCmd, Provider>();

    /// <exception cref="InvalidOperationException">There is a palette of this name.</exception>
    public void RegisterCommandPalette(CommandPaletteHandler handler)
    {
        var name = handler.Palette.Name;
        if (handlers.Any(h => h.Palette.Name == name)) throw new InvalidOperationException($"there is a palette '{name}' already");
        handlers.Add(handler);
        handler.OnRegister(this);
    }

    private sealed class Provider : ExtensionIdProvider<PetabridgeCmd>
    {
        public override PetabridgeCmd CreateExtension(ExtendedActorSystem system) => new(system);
    }
}

public static class PetabridgeCmdHosting
{
    public static AkkaConfigurationBuilder AddPetabridgeCmd(
        this AkkaConfigurationBuilder builder, PetabridgeCmdOptions options, Action<PetabridgeCmd> hostConfiguration) => builder
        .AddHocon($"petabridge.cmd {{ host = \"{options.Host}\", port = {options.Port} }}", HoconAddMode.Prepend)
        .AddStartup((system, _) => hostConfiguration(PetabridgeCmd.Get(system)));
}
