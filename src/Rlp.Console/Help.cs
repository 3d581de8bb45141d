namespace Rlp.Consoles;

/// <summary>help, help NOUN, help NOUN VERB.</summary>
internal static class Help
{
    public const string Word = "help";

    public static IEnumerable<AnswerLine> On(IReadOnlyList<string> words, IReadOnlyList<Palette> palettes)
    {
        switch (words)
        {
            case []:
                return
                [
                    new TextLine("A command is a noun, a verb and switches. 'help NOUN' and 'help NOUN VERB' say more."),
                    new ColumnsLine(["noun", "verbs", "example"]),
                    .. palettes.Select(p => new RowLine([p.Name, string.Join(", ", p.Verbs.Select(v => v.Name)), p.Verbs[0].Example])),
                ];
            case [var noun]:
                var palette = PaletteCommand.Find(noun, palettes);
                return
                [
                    new TextLine($"{palette.Name}: {palette.Description}"),
                    new ColumnsLine(["verb", "what it does", "example"]),
                    .. palette.Verbs.Select(v => new RowLine([v.Name, v.Description, v.Example])),
                ];
            case [var noun, var name]:
                var verb = PaletteCommand.Find(name, PaletteCommand.Find(noun, palettes));
                AnswerLine[] lines = [new TextLine($"{noun} {verb.Name}: {verb.Description}"), new TextLine($"example: {verb.Example}")];
                return verb.Arguments.Count == 0 ? lines :
                [
                    .. lines,
                    new ColumnsLine(["switch", "long", "", "what it is"]),
                    .. verb.Arguments.Select(a => new RowLine([a.Usage, $"--{a.Name}", Need(a), a.Description])),
                ];
            default:
                throw new CommandNotUnderstoodException("help takes a noun and a verb at most. Example: help run show");
        }
    }

    private static string Need(Argument argument) =>
        (argument.Mandatory ? "mandatory" : argument.Default is { } standard ? $"default {standard}" : "optional") + (argument.AllowMultiple ? ", may be repeated" : "");
}
