using Petabridge.Cmd;
using Rlp.Consoles;

namespace Rlp.Pbm;

/// <summary>The console's palettes as Petabridge.Cmd knows palettes.</summary>
internal static class PbmPalettes
{
    /// <summary>Palettes that Petabridge.Cmd brings along.</summary>
    private static readonly string[] Taken = ["actor", "cluster", "cluster-sharding", "log", "remote"];

    /// <summary>Those of <see cref="ConsolePalettes"/>; one whose name is taken is called rlp-NAME.</summary>
    public static IReadOnlyList<Palette> All { get; } = [.. ConsolePalettes.All.Select(p => Taken.Contains(p.Name) ? Renamed(p) : p)];

    private static Palette Renamed(Palette palette) =>
        palette with { Name = $"rlp-{palette.Name}", Verbs = [.. palette.Verbs.Select(v => v with { Example = $"rlp-{v.Example}" })] };

    public static CommandPalette Define(Palette palette) => new(palette.Name, palette.Verbs.Select(Define).ToArray());

    private static CommandDefinition Define(Verb verb) => verb.Arguments
        .Aggregate(
            new CommandDefinitionBuilder().WithName(verb.Name).WithDescription($"{verb.Description}. Example: {verb.Example}"),
            (command, argument) => command.WithArgument(builder =>
            {
                var defined = builder.WithName(argument.Name).WithDescription(argument.Description)
                    .WithSwitch(argument.Switch).WithSwitch($"--{argument.Name}")
                    .IsMandatory(argument.Mandatory).AllowMultiple(argument.AllowMultiple);
                if (argument.Values.Count > 0) defined = defined.WithDefaultValues([.. argument.Values]); // what Tab offers
                return argument.Default is { } standard ? defined.WithDefaultValue(standard) : defined;
            }))
        .Build();
}
