using Rlp.Cli.Consoles;
using Rlp.Consoles;

namespace Rlp.Cli.Tests.Consoles;

/// <summary>Keys in, a line out: no terminal.</summary>
public sealed class LineEditorTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("rlp-console-").FullName;
    private readonly StringWriter screen = new();

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string HistoryPath => Path.Combine(folder, "state", "history");

    private static ConsoleKeyInfo Key(ConsoleKey key, bool control = false) => new('\0', key, shift: false, alt: false, control);

    private static ConsoleKeyInfo Character(char c) => new(c, char.IsAsciiLetterLower(c) ? ConsoleKey.A + (c - 'a') : ConsoleKey.None, shift: false, alt: false, control: false);

    /// <summary>Words in angle brackets are keys, ^X is Ctrl-X, the rest is typed.</summary>
    private static IEnumerable<ConsoleKeyInfo> Keys(string script)
    {
        for (var i = 0; i < script.Length; i++)
            if (script[i] == '<')
            {
                var end = script.IndexOf('>', i);
                yield return Key(Enum.Parse<ConsoleKey>(script[(i + 1)..end]));
                i = end;
            }
            else if (script[i] == '^')
            {
                yield return Key(Enum.Parse<ConsoleKey>(script[++i].ToString()), control: true);
            }
            else
            {
                yield return Character(script[i]);
            }
    }

    private LineEditor Editor(string script, LineHistory? history = null, int width = 80)
    {
        var keys = new Queue<ConsoleKeyInfo>(Keys(script));
        return new LineEditor(
            keys.Dequeue, screen, () => width, history ?? new LineHistory(null),
            text => Completion.Of(text, ConsolePalettes.All, argument => argument == "run" ? ["alpha", "alps"] : []));
    }

    [Theory]
    [InlineData("run list<Enter>", "run list")]
    [InlineData("rn<LeftArrow>u<End> list<Enter>", "run list")]
    [InlineData("un list<Home>r<Enter>", "run list")]
    [InlineData("run listt<Backspace><Enter>", "run list")]
    [InlineData("<Backspace><LeftArrow><Delete>x<Enter>", "x")]
    [InlineData("rrun list<Home><Delete><Enter>", "run list")]
    [InlineData("nonsense^Urun list<Enter>", "run list")]
    [InlineData("run list all<LeftArrow><LeftArrow><LeftArrow><LeftArrow>^K<Enter>", "run list")]
    [InlineData("run list all^W<Backspace><Enter>", "run list")]
    [InlineData("nonsense^Crun list<Enter>", "run list")]
    [InlineData("xrun list^A^D<Enter>", "run list")]
    [InlineData("<Enter>", "")]
    [InlineData("^D", null)]
    public void A_line_is_edited_as_in_a_shell(string script, string? line) => Assert.Equal(line, Editor(script).Read("one> "));

    [Theory]
    [InlineData("ru<Tab>li<Tab><Enter>", "run list ")]
    [InlineData("run show -r a<Tab><Enter>", "run show -r alp")]
    [InlineData("run show -r alp<Tab>h<Tab><Enter>", "run show -r alpha ")]
    [InlineData("xyz<Tab><Enter>", "xyz")]
    [InlineData("r list<LeftArrow><LeftArrow><LeftArrow><LeftArrow><LeftArrow><Tab><Enter>", "run  list")]
    public void Tab_completes_as_far_as_the_candidates_agree(string script, string line) => Assert.Equal(line, Editor(script).Read("one> "));

    [Fact]
    public void Candidates_are_listed_where_they_do_not_agree()
    {
        Editor("run show -r alp<Tab><Enter>").Read("one> ");
        Assert.Contains("alpha  alps\r\n", screen.ToString());
    }

    [Fact]
    public void Lines_are_recalled_over_the_end_of_a_process()
    {
        var first = Editor("run list<Enter>cluster show<Enter>cluster show<Enter>", new LineHistory(HistoryPath));
        for (var i = 0; i < 3; i++) first.Read("> ");
        Assert.Equal(["run list", "cluster show"], File.ReadAllLines(HistoryPath));

        var later = new LineHistory(HistoryPath);
        Assert.Equal("run list", Editor("<UpArrow><UpArrow><UpArrow><Enter>", later).Read("> "));
        Assert.Equal("half", Editor("half<UpArrow><DownArrow><DownArrow><Enter>", later).Read("> "));
        Assert.Equal("cluster show", Editor("<UpArrow><UpArrow><UpArrow><Enter>", later).Read("> "));
    }

    [Fact]
    public void A_history_that_cannot_be_kept_does_not_matter()
    {
        File.WriteAllText(Path.Combine(folder, "file"), "");
        var history = new LineHistory(Path.Combine(folder, "file", "history"));
        Assert.Equal("x", Editor("x<Enter>", history).Read("> "));
        Assert.Equal(["x"], history.Lines);
    }

    [Fact]
    public void A_line_longer_than_the_screen_is_shown_in_part()
    {
        var line = string.Concat(Enumerable.Range(0, 20).Select(i => i.ToString("00")));
        Assert.Equal(line, Editor(line + "<Enter>", width: 20).Read("one> "));
        Assert.All(screen.ToString().Split('\r'), drawn => Assert.True(drawn.Replace("\e[K", "").Length <= 20 || drawn.StartsWith("\e["), drawn));
        Assert.EndsWith("1819\r\e[19G\r\n", screen.ToString());
    }
}
