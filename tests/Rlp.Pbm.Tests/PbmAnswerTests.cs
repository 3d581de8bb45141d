using Petabridge.Cmd;
using Rlp.Consoles;
using Rlp.Consoles.Tests;

namespace Rlp.Pbm.Tests;

/// <summary>What pbm is told is what the console would say.</summary>
public sealed class PbmAnswerTests
{
    private readonly FakeCluster cluster = new();

    public static TheoryData<string> Examples() => [.. PbmPalettes.All.SelectMany(p => p.Verbs.Select(v => v.Example))];

    /// <summary>As plain text, errors with a '!' before them; of a tail the head and the first row.</summary>
    private static async Task<string[]> SaidByConsoleAsync(IReadOnlyList<string> words)
    {
        using var stop = new CancellationTokenSource();
        var (lines, errors) = (new List<string>(), new List<string>());
        var display = new PlainAnswerDisplay(lines.Add, errors.Add);
        var tail = false;
        await foreach (var line in PaletteCommand.Parse(words, PbmPalettes.All).AnswerAsync(new FakeCluster(), stop.Token))
        {
            display.Show(line);
            tail |= line is ColumnsLine { Streams: true };
            if (tail && line is RowLine) break;
        }
        display.End();
        return errors.Count == 0 ? [.. lines] : [.. lines, "!" + string.Join('\n', errors)];
    }

    [Theory]
    [MemberData(nameof(Examples))]
    [InlineData("run list")]
    [InlineData("run list --status paused")]
    [InlineData("run show -r alpha")]
    [InlineData("run events -r alpha -l 2")]
    [InlineData("run steps -r alpha -s rlp")]
    [InlineData("run pause -r alpha")]
    [InlineData("run fork -r alpha -a 2 -i gamma -o rlp.steps=40 -o 'rlp.name = \"a b\"'")]
    [InlineData("worker list")]
    [InlineData("metrics show -r alpha -m reward -m loss")]
    [InlineData("metrics tail -r alpha -l 1")]
    [InlineData("checkpoint list -r alpha")]
    [InlineData("rlp-cluster show")]
    [InlineData("journal tail")]
    public async Task A_command_has_the_answer_that_the_console_gives(string line)
    {
        var words = CommandLine.Split(line);
        var expected = await SaidByConsoleAsync(words);
        await using var session = await PbmSession.StartAsync(() => cluster);
        session.Send(words);
        Assert.Equal(expected, await session.LinesAsync(atMost: expected.Length));
    }

    [Fact]
    public async Task An_answer_is_lines_and_an_end()
    {
        await using var session = await PbmSession.StartAsync(() => cluster);
        session.Send("run", "list", "-s", "paused");
        Assert.Equal(["run   status  stage  step  node  failure", "beta  paused  -      -     -     -"], await session.LinesAsync(atMost: 2));
        Assert.Same(CommandResponse.Empty, await session.NextAsync());
    }

    [Theory]
    [InlineData("there is no run 'alhpa'; did you mean 'alpha'?", "run", "show", "-r", "alhpa")]
    [InlineData("run show: -r RUN is missing", "run", "show")]
    [InlineData("-l is 'many'; expected a whole number of at least 0", "run", "events", "-r", "alpha", "-l", "many")]
    [InlineData("rlp-cluster down: -n NODE is missing", "rlp-cluster", "down")]
    public async Task What_is_wrong_comes_as_an_error_that_ends_the_answer(string message, params string[] words)
    {
        await using var session = await PbmSession.StartAsync(() => cluster);
        session.Send(words);
        var response = Assert.IsType<ErroredCommandResponse>(await session.NextAsync());
        Assert.Contains(message, response.Msg);
        Assert.True(response.Final);
        Assert.Empty(cluster.Done);
    }

    [Fact]
    public async Task A_node_that_is_starting_says_so()
    {
        await using var session = await PbmSession.StartAsync(() => throw new CommandFailedException("the node is starting; try again"));
        session.Send("run", "list");
        Assert.Equal(["!the node is starting; try again"], await session.LinesAsync());
    }

    [Fact]
    public async Task What_is_not_given_has_its_default()
    {
        await using var session = await PbmSession.StartAsync(() => cluster);
        session.Send("rlp-cluster", "leave", "-n", "two");
        await session.LinesAsync();
        Assert.Equal(["drain two 120", "leave two"], cluster.Done);
    }

    [Fact]
    public async Task A_tail_ends_with_who_asked()
    {
        await using var session = await PbmSession.StartAsync(() => cluster);
        session.Send("journal", "tail");
        await session.LinesAsync(atMost: 2);
        Assert.Equal(1, cluster.Followers);
        session.System.Stop(session.Inbox.Receiver);
        await NobodyFollowsAsync();
    }

    [Fact]
    public async Task A_tail_ends_with_its_connection()
    {
        await using var session = await PbmSession.StartAsync(() => cluster);
        var handler = session.Send("journal", "tail");
        await session.LinesAsync(atMost: 2);
        Assert.Equal(1, cluster.Followers);
        session.System.Stop(handler);
        await NobodyFollowsAsync();
    }

    private async Task NobodyFollowsAsync()
    {
        for (var waited = 0; cluster.Followers > 0 && waited < 600; waited++) await Task.Delay(100);
        Assert.Equal(0, cluster.Followers);
    }
}
