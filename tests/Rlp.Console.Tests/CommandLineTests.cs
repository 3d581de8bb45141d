namespace Rlp.Consoles.Tests;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("run show -r a", "run", "show", "-r", "a")]
    [InlineData("  run\t list ", "run", "list")]
    [InlineData("""a "b c" 'd "e"' f''g ""  """, "a", "b c", "d \"e\"", "fg", "")]
    [InlineData("""a\b""", "a\\b")]
    [InlineData("")]
    public void A_line_is_split_by_white_space_outside_quotation_marks(string line, params string[] words) => Assert.Equal(words, CommandLine.Split(line));

    [Theory]
    [InlineData("plain")]
    [InlineData("two words")]
    [InlineData("")]
    [InlineData("it's")]
    [InlineData("say \"hi\"")]
    [InlineData("'\"' both \"'")]
    [InlineData("\"")]
    public void A_joined_line_is_split_into_the_same_words(string word) => Assert.Equal(["x", word, "y"], CommandLine.Split(CommandLine.Join(["x", word, "y"])));

    [Fact]
    public void An_open_quotation_mark_is_refused() => Assert.Contains("not closed", Assert.Throws<CommandNotUnderstoodException>(() => CommandLine.Split("a 'b")).Message);

    [Theory]
    [InlineData("rnu list", "there is no palette 'rnu'; did you mean 'run'? The palettes are run, worker, device, lane, metrics, thought, checkpoint, cluster, journal")]
    [InlineData("zzzzzzzz", "there is no palette 'zzzzzzzz'. The palettes are")]
    [InlineData("run shwo -r a", "'run' has no verb 'shwo'; did you mean 'show'? It has list, show, events")]
    [InlineData("run", "run what? list, show")]
    [InlineData("run show --rnu a", "run show has no switch '--rnu'; did you mean '--run'? It has -r (--run). Example: run show -r arithmetic-1")]
    [InlineData("run show -R a", "did you mean '-r'?")]
    [InlineData("run show -x a", "run show has no switch '-x'. It has -r (--run)")]
    [InlineData("cluster show -x a", "It has none")]
    [InlineData("run show alpha", "run show: 'alpha' follows no switch. It has -r (--run). Example: run show -r arithmetic-1")]
    [InlineData("run show", "run show: -r RUN is missing (id of the run; 'run list' shows them). Example: run show -r arithmetic-1")]
    [InlineData("run show -r", "-r has no value; expected -r RUN")]
    [InlineData("run events -r -l 3", "-r has no value")]
    [InlineData("run show -r a -r b", "-r is given twice")]
    [InlineData("run events -r a -l x", "-l is 'x'; expected a whole number of at least 0")]
    [InlineData("run events -r a -l -1", "-l is '-1'; expected a whole number of at least 0")]
    [InlineData("run events -r a -l 99999999999999999999", "expected a whole number")]
    [InlineData("run events -r a -t step-aplied", "expected one of run-created")]
    [InlineData("run events -r a -t step-aplied", "did you mean 'step-applied'?")]
    [InlineData("run show -r ../../etc/passwd", "-r is '../../etc/passwd'; expected a run id: up to 128 letters, digits")]
    [InlineData("checkpoint verify -r ..", "expected a run id")]
    [InlineData("worker restart -n one -w lerner", "did you mean 'learner'?")]
    [InlineData("help rnu", "did you mean 'run'?")]
    [InlineData("help run shwo", "did you mean 'show'?")]
    [InlineData("help run show me", "help takes a noun and a verb at most")]
    [InlineData("", "an empty line is no command")]
    public void What_is_no_command_is_refused_with_the_nearest_one(string line, string message) => Assert.Contains(message, Ask.Refusal(line));

    public static TheoryData<string, string> Verbs() => new(ConsolePalettes.All.SelectMany(p => p.Verbs.Select(v => (p.Name, v.Name))));

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Every_verb_is_explained_with_an_example_that_it_understands(string noun, string name)
    {
        var verb = ConsolePalettes.All.Single(p => p.Name == noun).Verbs.Single(v => v.Name == name);
        Assert.StartsWith($"{noun} {name}", verb.Example);
        PaletteCommand.Parse(verb.Example, ConsolePalettes.All);

        var lines = await new FakeCluster().LinesAsync($"help {noun} {name}");
        Assert.Equal($"{noun} {name}: {verb.Description}", lines[0]);
        Assert.Equal($"example: {verb.Example}", lines[1]);
        Assert.All(verb.Arguments, a => Assert.Contains(lines, l => l.StartsWith($"{a.Switch} {a.Name.ToUpperInvariant()}|--{a.Name}|")));
        Assert.Contains(await new FakeCluster().LinesAsync($"help {noun}"), l => l.StartsWith($"{name}|"));
        Assert.Contains(await new FakeCluster().LinesAsync("help"), l => l.StartsWith($"{noun}|") && l.Contains(name));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void No_two_switches_of_a_verb_are_the_same(string noun, string name)
    {
        var verb = ConsolePalettes.All.Single(p => p.Name == noun).Verbs.Single(v => v.Name == name);
        Assert.Distinct(verb.Arguments.SelectMany(a => (string[])[a.Switch, a.Name]));
        Assert.All(verb.Arguments, a => Assert.Matches("^-[a-z]$", a.Switch));
        Assert.All(verb.Arguments.Where(a => a.Default is not null), a => Assert.Null(a.Expected(a.Default!)));
    }

    [Theory]
    [InlineData("", "run worker device lane metrics thought checkpoint cluster journal help")]
    [InlineData("r", "run")]
    [InlineData("run ", "list show events steps pause resume cancel verify fork")]
    [InlineData("run s", "show steps")]
    [InlineData("run show ", "-r")]
    [InlineData("run show -r ", "alpha beta")]
    [InlineData("run show --run b", "beta")]
    [InlineData("run show -r alpha ", "")]
    [InlineData("cluster down -n ", "one two")]
    [InlineData("cluster down -n one -f ", "yes no")]
    [InlineData("metrics show -r alpha -m reward -", "-s -m -l")]
    [InlineData("help me", "metrics")]
    [InlineData("help run p", "pause")]
    [InlineData("help run pause ", "")]
    [InlineData("rnu ", "")]
    public void A_line_is_completed_by_what_can_follow(string text, string words)
    {
        var completion = Completion.Of(text, ConsolePalettes.All, argument => argument switch { "run" => ["alpha", "beta"], "node" => ["one", "two"], _ => [] });
        Assert.Equal(words, string.Join(' ', completion.Words));
        Assert.Equal(text.LastIndexOf(' ') + 1, completion.Start);
    }

    [Fact]
    public void Answer_lines_survive_their_json()
    {
        AnswerLine[] lines = [new TextLine("a \"b\" ±"), new ColumnsLine(["x", "y"], Streams: true), new RowLine(["1", ""]), new ErrorLine("no\nway")];
        Assert.All(lines, line => Assert.DoesNotContain('\n', line.ToJson()));
        Assert.Equal(lines.Select(l => l.ToJson()), lines.Select(l => AnswerLine.FromJson(l.ToJson()).ToJson()));
        Assert.Equal("""{"columns":["x","y"],"streams":true}""", lines[1].ToJson());
        Assert.Equal("""{"text":"a \"b\" ±"}""", lines[0].ToJson());
        Assert.Throws<InvalidDataException>(() => AnswerLine.FromJson("{}"));
        Assert.Throws<InvalidDataException>(() => AnswerLine.FromJson("nonsense"));
    }
}
