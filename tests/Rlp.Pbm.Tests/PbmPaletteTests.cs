using Petabridge.Cmd.Host;
using Rlp.Consoles;
using Rlp.Consoles.Tests;

namespace Rlp.Pbm.Tests;

/// <summary>Nothing that the console can be asked is missing in pbm.</summary>
public sealed class PbmPaletteTests
{
    public static TheoryData<string, string> Verbs() => [.. ConsolePalettes.All.SelectMany(p => p.Verbs.Select(v => (p.Name, v.Name)))];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_verb_is_a_command_with_all_its_arguments(string noun, string name)
    {
        var verb = ConsolePalettes.All.Single(p => p.Name == noun).Verbs.Single(v => v.Name == name);
        var palette = PbmPalettes.Define(Assert.Single(PbmPalettes.All, p => p.Name == noun || p.Name == $"rlp-{noun}"));
        var command = Assert.Single(palette.Commands, c => c.Name == name);
        Assert.StartsWith(verb.Description, command.Description);
        Assert.EndsWith(verb.Example, command.Description);
        Assert.Equal(
            verb.Arguments.Select(a => (a.Name, a.Description, $"{a.Switch} --{a.Name}", a.Mandatory, a.AllowMultiple, a.Default, Words(a.Values))),
            command.ArgumentsByName.Values.Select(a =>
                (a.Name, a.Description, Words(a.Switch), a.Mandatory, a.Multiple, a.Default, Words(a.Defaults))));

        static string Words(IReadOnlyList<string> words) => string.Join(' ', words);
    }

    [Fact]
    public async Task A_node_has_the_console_s_palettes_beside_those_of_Petabridge_Cmd()
    {
        await using var session = await PbmSession.StartAsync(() => new FakeCluster());
        var names = PetabridgeCmd.Get(session.System).Handlers.Select(h => h.Palette.Name).ToArray();
        string[] theirs = ["cluster", "cluster-sharding", "remote"];
        Assert.Equal([.. theirs, .. ConsolePalettes.All.Select(p => theirs.Contains(p.Name) ? $"rlp-{p.Name}" : p.Name)], names);
    }

    [Fact]
    public void A_verb_of_a_palette_with_another_name_is_found_by_its_example() => Assert.All(
        PbmPalettes.All.SelectMany(p => p.Verbs.Select(v => (Palette: p, Verb: v))), both =>
        {
            Assert.StartsWith($"{both.Palette.Name} {both.Verb.Name}", both.Verb.Example);
            PaletteCommand.Parse(both.Verb.Example, PbmPalettes.All);
        });
}
